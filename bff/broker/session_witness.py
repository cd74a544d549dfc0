"""What the broker must know about a session: that it lives, and who it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A signed-in person as a relying party may know them.

    `subject` is the pairwise id (OIDC Core 8.1), `auth_time` when they signed in at their provider.
    """

    subject: str
    claims: Mapping[str, str]
    auth_time: datetime | None
    acr: str | None


class SessionWitness(Protocol):
    """Somebody who can say whether a session lives."""

    def vouch(self, session_key: str) -> Principal:
        """Return whose session this is. Never extends it: a machine asking is not a person.

        Raises SignInRequiredError if it has ended, and IdentityProviderDownError if the provider
        has not confirmed it for longer than the grace; only the first is for ever.
        """
