"""Who remembers guests for longer than a session lives, if anybody does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    # Whether the e-mail of the profile comes from a sign-in: a page may claim any.
    email_verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturningGuest:
    """A guest who has proved to be one: the token that Genesys knows, and the profile.

    `person` is whose the conversation is already; None as long as it is nobody's.
    """

    guest_id: str
    genesys_token: str = field(repr=False)
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)
    person: str | None = None


class GuestArchive(Protocol):
    """Remembers and recalls. Nothing here raises, but where it says StoreDownError.

    A chat does not end because of a record. But nobody gets one because a record is missing:
    what could not be recorded is not recalled.
    """

    def recall(self, caller: Caller) -> ReturningGuest | None:
        """Return the guest that the caller has proved to be, or None for whatever reason."""

    def admit_newcomer(self, caller: Caller) -> None:
        """Raise a BffError with `retry_after` while no more new guests can be remembered."""

    def confirms(self, guest_id: str, caller: Caller) -> bool:
        """Say whether a guest who was recalled still is the caller's, once a session stands."""

    def allows(self, guest_id: str, person: str | None, *, opened_at: datetime) -> bool:
        """Say whether nothing that waits to be written takes a session away. StoreDownError."""

    def opened(
        self,
        guest_id: str,
        caller: Caller,
        *,
        genesys_token: str,
        resumed: bool,
        owned: bool = True,
        at: datetime | None = None,
    ) -> None:
        """A session was opened; `owned` if it is the person's already who is signed in, if any."""

    def used(self, guest_id: str) -> None:
        """A guest is here, and uses the session."""

    def claims(self, guest_id: str, person: str) -> None:
        """Somebody is about to become this person: nobody else comes back. StoreDownError."""

    def stepped_up(
        self,
        guest_id: str,
        person: str,
        profile: Mapping[str, str],
        *,
        email_verified: bool = False,
    ) -> bool:
        """An anonymous guest has become this person. False if that is recorded nowhere yet."""

    def ends(self, guest_id: str, at: datetime) -> None:
        """A conversation is about to end: nobody comes back to it. StoreDownError."""

    def ended(
        self,
        guest_id: str,
        reason: GuestEnd,
        *,
        at: datetime | None = None,
        noted: bool = True,
    ) -> None:
        """A conversation is over, with everything that was opened until `at`.

        `noted` says that it is an event; else another page has told of it before.
        """

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

    def confirms(self, guest_id: str, caller: Caller) -> bool:
        """Know nobody."""
        del guest_id, caller
        return False

    def allows(self, guest_id: str, person: str | None, *, opened_at: datetime) -> bool:
        """Nothing waits."""
        del guest_id, person, opened_at
        return True

    def opened(
        self,
        guest_id: str,
        caller: Caller,
        *,
        genesys_token: str,
        resumed: bool,
        owned: bool = True,
        at: datetime | None = None,
    ) -> None:
        """Forget it."""

    def used(self, guest_id: str) -> None:
        """Forget it."""

    def claims(self, guest_id: str, person: str) -> None:
        """Forget it."""

    def stepped_up(
        self,
        guest_id: str,
        person: str,
        profile: Mapping[str, str],
        *,
        email_verified: bool = False,
    ) -> bool:
        """Forget it: nobody is recalled, so there is nothing to get wrong."""
        del guest_id, person, profile, email_verified
        return True

    def ends(self, guest_id: str, at: datetime) -> None:
        """Forget it."""

    def ended(
        self,
        guest_id: str,
        reason: GuestEnd,
        *,
        at: datetime | None = None,
        noted: bool = True,
    ) -> None:
        """Forget it."""

    def refused(self, caller: Caller) -> None:
        """Forget it."""
