"""What is remembered of guests: sealed under their own keys, found by keyed fingerprints.

Resuming wants proof and not only a match: the device that is named says whose session it could
be, the browser's own cookie or the signed-in person whose it is.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from bff.crypto.sealed_value import SealingKey
from bff.errors import BffError, BrokenSealError
from bff.ports import Clock, Entropy
from bff.record_ports import GuestRow, GuestRows
from bff.records.guest_keys import GuestErasedError, GuestKeys
from bff.records.guest_waiting import WaitingFacts
from bff.records.outbox import Letter, Outbox
from bff.records.outbox_events import AUDIT, GUEST, MALFORMED, UNKNOWN_KIND, UndeliverableError
from bff.records.purpose_keys import PurposeKeys

log = logging.getLogger(__name__)

DESK: Final = GUEST
CANDIDATES: Final = 20
MAX_VALUE_CHARS: Final = 256
MAX_EMAIL_CHARS: Final = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFacts:
    """What is known of a guest at a moment. What is None is not known, and changes nothing."""

    guest_id: str
    at: datetime
    device_id: str | None = field(default=None, repr=False)
    person: str | None = None
    browser_secret: str | None = field(default=None, repr=False)
    genesys_token: str | None = field(default=None, repr=False)
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)
    ended: bool = False


_FACTS: Final = TypeAdapter(GuestFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A guest who came back, and has proved it."""

    guest_id: str
    genesys_token: str = field(repr=False)
    profile: Mapping[str, str] = field(repr=False)


class Recall(StrEnum):
    """What came of looking for a guest. For the audit trail: who asked is told nothing of it."""

    RESUMED = "resumed"
    UNKNOWN = "unknown"
    UNPROVEN = "unproven"
    UNREADABLE = "unreadable"


class GuestMemory:
    """Remembers guests of one tenant, and recalls them to who can prove to be one."""

    def __init__(  # noqa: PLR0913 - what it keeps, where, under which keys, and by which clock
        self,
        *,
        rows: GuestRows,
        keys: GuestKeys,
        purposes: PurposeKeys,
        outbox: Outbox,
        tenant: str,
        fields: tuple[str, ...],
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._rows = rows
        self._keys = keys
        self._purposes = purposes
        self._outbox = outbox
        self._tenant = tenant
        self._fields = frozenset(fields)
        self._clock = clock
        self._entropy = entropy
        self._waiting = WaitingFacts(keys, entropy=entropy)

    def remember(self, facts: GuestFacts) -> None:
        """Keep what is known, in the background. Raises StoreDownError, OutboxFullError.

        It waits encrypted under the guest's own key: a guest who is erased is so there as well.
        """
        pseudonym = self._purposes.pseudonym(facts.guest_id)
        values = {
            **asdict(facts),
            "at": facts.at.isoformat(),
            "profile": self._kept_profile(facts.profile),
        }
        try:
            body = self._waiting.encoded(facts.guest_id, values)
            self._outbox.put(Letter(desk=DESK, body=body, guest=pseudonym))
        except GuestErasedError:
            log.info("guest %s has been erased, and is not remembered", pseudonym[:8])
        except BffError:
            self._outbox.tally.lost[DESK] += 1
            raise

    @property
    def is_crowded(self) -> bool:
        """Say whether so much waits for the database that what fills the outbox should slow."""
        return self._outbox.is_crowded(GUEST, AUDIT)

    def deliver(self, body: str) -> bool:
        """Take an event of the outbox; False if the guest has been erased.

        Raises RecordsDownError, StoreDownError, UndeliverableError.
        """
        values = self._waiting.decoded(body)
        return values is not None and self.write(_facts(values))

    def write(self, facts: GuestFacts) -> bool:
        """Write what is known now; False if this guest has been erased."""
        if facts.ended:
            # The profile stays; the conversation is over, and nobody comes back to it.
            self._rows.end_session(facts.guest_id)
            return True
        pseudonym = self._purposes.pseudonym(facts.guest_id)
        seed = self._row(facts)
        key = self._keys.find(facts.guest_id)
        if key is None:
            # Asked before a key is made: an erased guest never gets another one.
            if not self._rows.keep(seed, pseudonym=pseudonym):
                return False
            try:
                key = self._keys.find_or_make(facts.guest_id)
            except GuestErasedError:
                return False
        kept = self._rows.keep(self._sealed(seed, facts, key), pseudonym=pseudonym)
        if not kept:
            # Erased in between: the key that was made may have come after the one destroyed.
            self._keys.destroy(facts.guest_id)
        return kept

    def recall(
        self, *, device_id: str | None, browser_secret: str | None, person: str | None
    ) -> tuple[Recall, Recalled | None]:
        """Return the guest of this device whom the browser or the person proves to be.

        No device, no match. A session that is a person's is resumed by that person only.
        """
        if not device_id:
            return Recall.UNKNOWN, None
        device = self._purposes.fingerprint("device", self._tenant, device_id)
        found = self._rows.of_device(self._tenant, device, limit=CANDIDATES)
        if not found:
            return Recall.UNKNOWN, None
        who = self._print("person", person)
        browser = self._print("browser", browser_secret)
        for row in found:
            if row.session_sealed is not None and _proven(row, browser=browser, person=who):
                return self._recalled(row)
        over = all(row.session_sealed is None for row in found)
        return (Recall.UNKNOWN if over else Recall.UNPROVEN), None

    def profile_of(self, guest_id: str) -> dict[str, str] | None:
        """Return what is known of a guest in plain; None if there is no such guest, or no key."""
        row = self._rows.find(guest_id)
        key = self._keys.find(guest_id)
        return None if row is None or key is None else self._profile(row, key)

    def _recalled(self, row: GuestRow) -> tuple[Recall, Recalled | None]:
        key = self._keys.find(row.guest_id)
        if key is None or row.session_sealed is None:
            return Recall.UNREADABLE, None
        try:
            session = json.loads(key.open(row.session_sealed, context=_context("session", row)))
            profile = self._profile(row, key)
        except BrokenSealError:
            log.warning("the record of a guest does not open", exc_info=True)
            return Recall.UNREADABLE, None
        return Recall.RESUMED, Recalled(
            guest_id=row.guest_id, genesys_token=session["genesys_token"], profile=profile
        )

    def _row(self, facts: GuestFacts) -> GuestRow:
        email = facts.profile.get("email")
        return GuestRow(
            guest_id=facts.guest_id,
            tenant=self._tenant,
            device=self._print("device", facts.device_id),
            person=self._print("person", facts.person),
            email=None if email is None else self.email_print(email),
            browser=self._print("browser", facts.browser_secret),
            created_at=facts.at,
            seen_at=facts.at,
        )

    def email_print(self, email: str) -> str:
        """Return the fingerprint under which an e-mail is found, however it is written."""
        return self._purposes.fingerprint("email", self._tenant, email.strip().casefold())

    def _print(self, purpose: str, value: str | None) -> str | None:
        return self._purposes.fingerprint(purpose, self._tenant, value) if value else None

    def _kept_profile(self, profile: Mapping[str, str]) -> dict[str, str]:
        """Return of a form what is kept of it: nothing else waits anywhere."""
        kept = {"email", "name"} | self._fields
        return {name: value for name, value in profile.items() if name in kept and _kept(value)}

    def _sealed(self, seed: GuestRow, facts: GuestFacts, key: SealingKey) -> GuestRow:
        profile = {name: value for name, value in facts.profile.items() if _kept(value)}
        further = {name: value for name, value in profile.items() if name in self._fields}
        session = {"genesys_token": facts.genesys_token} if facts.genesys_token else None
        sealed: dict[str, Any] = {
            "email_sealed": profile.get("email"),
            "name_sealed": profile.get("name"),
            "fields_sealed": json.dumps(further) if further else None,
            "session_sealed": json.dumps(session) if session else None,
        }
        values = {
            **{name: getattr(seed, name) for name in seed.__dataclass_fields__},
            **{
                column: key.seal(
                    text.encode(),
                    context=_context(column.removesuffix("_sealed"), seed),
                    entropy=self._entropy,
                )
                for column, text in sealed.items()
                if text is not None
            },
        }
        return GuestRow(**values)

    def _profile(self, row: GuestRow, key: SealingKey) -> dict[str, str]:
        profile: dict[str, str] = {}
        for column in ("email", "name"):
            sealed = getattr(row, f"{column}_sealed")
            if sealed is not None:
                profile[column] = key.open(sealed, context=_context(column, row)).decode()
        if row.fields_sealed is not None:
            profile |= json.loads(key.open(row.fields_sealed, context=_context("fields", row)))
        return profile


def _facts(values: Mapping[str, Any]) -> GuestFacts:
    """Return facts as they were encoded. Raises UndeliverableError."""
    if set(values) - set(GuestFacts.__dataclass_fields__):
        raise UndeliverableError(UNKNOWN_KIND)
    try:
        return _FACTS.validate_python(dict(values))
    except ValidationError as error:
        raise UndeliverableError(MALFORMED) from error


def _proven(row: GuestRow, *, browser: str | None, person: str | None) -> bool:
    if row.person is not None:
        # Same device, same browser even, but another person: never.
        return row.person == person
    return row.browser is not None and row.browser == browser


def _context(column: str, row: GuestRow) -> str:
    return f"guests:{column}:{row.guest_id}"


def _kept(value: str) -> bool:
    return len(value) <= MAX_VALUE_CHARS and "\x00" not in value
