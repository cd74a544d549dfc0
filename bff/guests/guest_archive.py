"""Who remembers guests for longer than a session lives, if anybody does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bff.guests.frame_errors import GuestEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks for a session, as far as it is known. `source` is the address."""

    device_id: str | None = field(repr=False)
    browser_secret: str = field(repr=False)
    person: str | None
    source: str = field(repr=False)
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturningGuest:
    """A guest who has proved to be one: the token that Genesys knows, and the profile."""

    guest_id: str
    genesys_token: str = field(repr=False)
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)


class GuestArchive(Protocol):
    """Remembers and recalls. Nothing here raises: a chat does not end because of a record."""

    def recall(self, caller: Caller) -> ReturningGuest | None:
        """Return the guest that the caller has proved to be, or None for whatever reason."""

    def admit_newcomer(self, caller: Caller) -> None:
        """Raise a BffError with `retry_after` while no more new guests can be remembered."""

    def opened(self, guest_id: str, caller: Caller, *, genesys_token: str, resumed: bool) -> None:
        """A session was opened."""

    def stepped_up(self, guest_id: str, person: str, profile: Mapping[str, str]) -> None:
        """An anonymous guest has become this person."""

    def ended(self, guest_id: str, reason: GuestEnd) -> None:
        """A session is over."""

    def refused(self, caller: Caller) -> None:
        """Somebody asked for a session that is not theirs, or no more."""


class NoArchive:
    """Keeps `GuestArchive` where no database is configured: nothing is remembered."""

    def recall(self, caller: Caller) -> ReturningGuest | None:
        """Know nobody."""
        del caller
        return None

    def admit_newcomer(self, caller: Caller) -> None:
        """Admit everybody."""

    def opened(self, guest_id: str, caller: Caller, *, genesys_token: str, resumed: bool) -> None:
        """Forget it."""

    def stepped_up(self, guest_id: str, person: str, profile: Mapping[str, str]) -> None:
        """Forget it."""

    def ended(self, guest_id: str, reason: GuestEnd) -> None:
        """Forget it."""

    def refused(self, caller: Caller) -> None:
        """Forget it."""
