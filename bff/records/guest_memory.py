"""What is remembered of guests: sealed under their own keys, found by keyed fingerprints.

Resuming wants proof and not only a match: the device that is named says whose session it could
be, the browser's own cookie or the signed-in person whose it is.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from bff.crypto.sealed_value import SealingKey
from bff.errors import BffError, BrokenSealError, StoreDownError
from bff.ports import Clock, Entropy
from bff.record_ports import GuestRow, GuestRows
from bff.records.contact_forms import normal_email
from bff.records.guest_keys import GuestErasedError, GuestKeys
from bff.records.guest_marks import GuestMarks, Pending
from bff.records.guest_waiting import WaitingFacts
from bff.records.outbox import Letter, Outbox
from bff.records.outbox_events import AUDIT, GUEST, MALFORMED, UNKNOWN_KIND, UndeliverableError
from bff.records.purpose_keys import PurposeKeys

log = logging.getLogger(__name__)

DESK: Final = "guest"
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
    # Whether the e-mail of the profile comes from a sign-in; a page may claim any. None: not known.
    email_verified: bool | None = None
    # Every conversation that was opened until then is over.
    ended: bool = False
    # Taken over from elsewhere: fills gaps, and is no sign of life.
    imported: bool = False


_FACTS: Final = TypeAdapter(GuestFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A guest who came back, and has proved it."""

    guest_id: str
    genesys_token: str = field(repr=False)
    profile: Mapping[str, str] = field(repr=False)
    # Whether it is recorded as the person's who asked; else it is still nobody's.
    owned: bool = False


class Recall(StrEnum):
    """What came of looking for a guest. For the audit trail: who asked is told nothing of it."""

    RESUMED = "resumed"
    UNKNOWN = "unknown"
    UNPROVEN = "unproven"
    UNREADABLE = "unreadable"
    EXPIRED = "expired"
    UNSETTLED = "unsettled"


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
        marks: GuestMarks | None = None,
        recall_age: timedelta | None = None,
    ) -> None:
        """Without `recall_age` a browser may come back to a conversation of any age."""
        self._marks = marks
        self._recall_age = recall_age
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
        values = {**_spelled(facts), "profile": self.kept_of(facts.profile)}
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

    def claim(self, guest_id: str, person: str) -> None:
        """Let nobody else continue this guest's conversation from now on. StoreDownError.

        To be called before a person is told that it is theirs; it is settled by what is written.
        """
        if self._marks is not None:
            self._marks.own(guest_id, self._purposes.fingerprint("person", self._tenant, person))

    def close(self, guest_id: str, at: datetime) -> None:
        """Let nobody continue what was opened until `at`. StoreDownError."""
        if self._marks is not None:
            self._marks.end(guest_id, at)

    def forget(self, guest_id: str) -> None:
        """Take away the marks of a guest who was erased. StoreDownError."""
        if self._marks is not None:
            self._marks.forget(guest_id)

    def touch(self, guest_id: str) -> None:
        """Remember that a guest is here, once an hour. Raises StoreDownError, OutboxFullError."""
        if self._marks is None or not self._marks.due_for_touch(guest_id):
            return
        try:
            self.remember(GuestFacts(guest_id=guest_id, at=self._clock.now()))
        except BffError:
            # Not for an hour: by age, this guest would be forgotten while they are here.
            self._marks.untouched(guest_id)
            raise

    def write(self, facts: GuestFacts) -> bool:
        """Write what is known now; False if this guest has been erased. RecordsDownError.

        Writing the same again, or later than what came after it, changes nothing.
        """
        kept = self._keep(facts)
        self._settle(facts)
        return kept

    def recall(
        self, *, device_id: str | None, browser_secret: str | None, person: str | None
    ) -> tuple[Recall, Recalled | None]:
        """Return the guest of this device whom the browser or the person proves to be.

        No device, no match. A session that is a person's is resumed by that person only, and a
        browser alone proves for `recall_age` after the guest was last here. RecordsDownError, or
        StoreDownError: what cannot be read is not recalled.
        """
        if not device_id:
            return Recall.UNKNOWN, None
        device = self._purposes.fingerprint("device", self._tenant, device_id)
        asks = _Asks(self._print("browser", browser_secret), self._print("person", person))
        found = self._rows.of_device(
            self._tenant, device, browser=asks.browser, person=asks.person, limit=CANDIDATES
        )
        why = None
        for row in found:
            came, fresh = self._continued(row.guest_id, asks)
            if fresh is not None:
                return self._recalled(fresh)
            why = why or came
        if why is None:
            why = Recall.UNPROVEN if self._rows.has_open(self._tenant, device) else Recall.UNKNOWN
        return why, None

    def confirms(self, guest_id: str, *, browser_secret: str | None, person: str | None) -> bool:
        """Say whether a guest who was recalled could still be. RecordsDownError, StoreDownError.

        To be asked once the new session stands where an end or a sign-in would find it.
        """
        asks = _Asks(self._print("browser", browser_secret), self._print("person", person))
        return self._continued(guest_id, asks)[1] is not None

    def pending(self, guest_id: str) -> Pending:
        """Return what is known of a guest and not written yet. StoreDownError."""
        return Pending() if self._marks is None else self._marks.of(guest_id)

    def recorded(self, guest_id: str) -> GuestRow | None:
        """Return what is written of a guest. Raises GuestErasedError, RecordsDownError."""
        row = self._rows.find(guest_id)
        if row is None and self._rows.is_erased(self._purposes.pseudonym(guest_id)):
            raise GuestErasedError("a session has outlived its guest")
        return row

    def leaves(
        self, pending: Pending, row: GuestRow | None, *, person: str | None, opened_at: datetime
    ) -> bool:
        """Say whether a session, opened at that moment, is left to who asks for it.

        By what waits and by what is written: a store that came back older has sessions again that
        had ended, or were nobody's then.
        """
        ended_at = None if row is None else row.ended_at
        if any(at is not None and opened_at <= at for at in (pending.ended_at, ended_at)):
            return False
        owners = pending.owners if row is None or row.person is None else {row.person}
        return not owners or owners == {self._print("person", person)}

    def waiting(self) -> Iterator[GuestFacts]:
        """Yield what is not written yet, or was set aside, as far as it can be read."""
        for letter in self._outbox.letters():
            if letter.desk == DESK:
                with suppress(UndeliverableError):
                    values = self._waiting.decoded(letter.body)
                    if values is not None:
                        yield _facts(values)

    def profile_of(self, guest_id: str) -> dict[str, str] | None:
        """Return what is known of a guest in plain; None if there is no such guest, or no key."""
        row = self._rows.find(guest_id)
        return None if row is None else self.profile_in(row)

    def profile_in(self, row: GuestRow) -> dict[str, str] | None:
        """Return what a row says in plain; None if there is no key. Raises BrokenSealError."""
        key = self._keys.find(row.guest_id)
        return None if key is None else self._profile(row, key)

    def kept_of(self, profile: Mapping[str, str]) -> dict[str, str]:
        """Return what would be kept of a profile."""
        fields = {"email", "name", *self._fields}
        return {name: value for name, value in _kept_of(profile).items() if name in fields}

    def _keep(self, facts: GuestFacts) -> bool:
        pseudonym, seed = self._purposes.pseudonym(facts.guest_id), self._row(facts)
        how: dict[str, Any] = {
            "pseudonym": pseudonym,
            "tie": self._tie(facts),
            "imported": facts.imported,
        }
        if not _tells(facts):
            return self._rows.keep(seed, **how)
        key = self._keys.find(facts.guest_id)
        if key is None:
            # Asked before a key is made: an erased guest never gets another one.
            if not self._rows.keep(_bare(seed), **how):
                return False
            try:
                key = self._keys.find_or_make(facts.guest_id)
            except GuestErasedError:
                return False
        kept = self._rows.keep(self._sealed(seed, facts, key), **how)
        if not kept:
            # Erased in between: the key that was made may have come after the one destroyed.
            self._keys.destroy(facts.guest_id)
        return kept

    def _settle(self, facts: GuestFacts) -> None:
        """Take the marks away. One that stays says what the row says as well."""
        if self._marks is None:
            return
        try:
            if facts.ended:
                self._marks.ended(facts.guest_id, facts.at)
            if facts.person is not None:
                person = self._purposes.fingerprint("person", self._tenant, facts.person)
                self._marks.owned(facts.guest_id, person)
        except StoreDownError:
            log.debug("the mark of a guest stays", exc_info=True)

    def _tie(self, facts: GuestFacts) -> str:
        """Return what decides between facts of one moment: the same for the same facts."""
        spelled = json.dumps(_spelled(facts), sort_keys=True)
        return self._purposes.fingerprint("fact", self._tenant, spelled)[:16]

    def _continued(self, guest_id: str, asks: "_Asks") -> tuple[Recall, GuestRow | None]:
        # The marks first: what is settled in between stands in the row by then.
        pending = self.pending(guest_id)
        row = self._rows.find(guest_id)
        if row is None or row.session_sealed is None:
            return Recall.UNKNOWN, None
        if pending.ended_at is not None and (row.session_at or row.seen_at) <= pending.ended_at:
            return Recall.UNSETTLED, None
        owners = pending.owners if row.person is None else {row.person}
        if owners:
            # Same device, same browser even, but another person: never.
            if owners == {asks.person}:
                return Recall.RESUMED, row
            return (Recall.UNPROVEN if row.person else Recall.UNSETTLED), None
        if row.browser is None or row.browser != asks.browser:
            return Recall.UNPROVEN, None
        return (Recall.EXPIRED, None) if self._too_old(row) else (Recall.RESUMED, row)

    def _too_old(self, row: GuestRow) -> bool:
        age = self._recall_age
        return age is not None and row.seen_at < self._clock.now() - age

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
            guest_id=row.guest_id,
            genesys_token=session["genesys_token"],
            profile=profile,
            owned=row.person is not None,
        )

    def _row(self, facts: GuestFacts) -> GuestRow:
        if facts.ended:
            return GuestRow(
                guest_id=facts.guest_id,
                tenant=self._tenant,
                ended_at=facts.at,
                created_at=facts.at,
                seen_at=facts.at,
            )
        email = _kept_of(facts.profile).get("email")
        return GuestRow(
            guest_id=facts.guest_id,
            tenant=self._tenant,
            device=self._print("device", facts.device_id),
            person=self._print("person", facts.person),
            email=None if email is None else self.email_print(email),
            email_verified=None if email is None else facts.email_verified,
            browser=self._print("browser", facts.browser_secret),
            created_at=facts.at,
            seen_at=facts.at,
        )

    def email_print(self, email: str) -> str:
        """Return the fingerprint under which an e-mail is found, however it is written."""
        return self._purposes.fingerprint("email", self._tenant, normal_email(email))

    def _print(self, purpose: str, value: str | None) -> str | None:
        return self._purposes.fingerprint(purpose, self._tenant, value) if value else None

    def _sealed(self, seed: GuestRow, facts: GuestFacts, key: SealingKey) -> GuestRow:
        profile = _kept_of(facts.profile)
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


@dataclass(frozen=True, slots=True)
class _Asks:
    """Who asks for a conversation: the fingerprints of browser and person."""

    browser: str | None
    person: str | None


def _tells(facts: GuestFacts) -> bool:
    """Say whether there is anything to seal: an end and a sign of life need no key."""
    return not facts.ended and (bool(facts.profile) or facts.genesys_token is not None)


def _bare(row: GuestRow) -> GuestRow:
    """Return a row that says of a guest that there is one, and no more."""
    return GuestRow(
        guest_id=row.guest_id, tenant=row.tenant, created_at=row.created_at, seen_at=row.seen_at
    )


def _facts(values: Mapping[str, Any]) -> GuestFacts:
    """Return facts as they were encoded. Raises UndeliverableError."""
    if set(values) - set(GuestFacts.__dataclass_fields__):
        raise UndeliverableError(UNKNOWN_KIND)
    try:
        return _FACTS.validate_python(dict(values))
    except ValidationError as error:
        raise UndeliverableError(MALFORMED) from error


def _spelled(facts: GuestFacts) -> dict[str, Any]:
    return {**asdict(facts), "at": facts.at.isoformat(), "profile": dict(facts.profile)}


def _context(column: str, row: GuestRow) -> str:
    return f"guests:{column}:{row.guest_id}"


def _kept_of(profile: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in profile.items() if _kept(value)}


def _kept(value: str) -> bool:
    return len(value) <= MAX_VALUE_CHARS and "\x00" not in value
