"""Who may ask from outside to erase a guest: whoever signs it, now, and never twice the same.

The signature is HMAC-SHA256 over the moment, a dot and the raw body, so that neither can be
exchanged. The moment may be off by five minutes either way, and for as long as a signature could
be good it is remembered.
"""

import hashlib
import hmac
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from bff.errors import (
    GuestUnknownError,
    RecordsDownError,
    RequestRefusedError,
    SignatureRefusedError,
    StoreDownError,
)
from bff.ports import Clock, Entropy, Store
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent, AuditTrail, Outcome
from bff.records.erasure import Asker, Erased, Erasure

log = logging.getLogger(__name__)

WINDOW: Final = timedelta(minutes=5)
REMEMBERED: Final = 2 * WINDOW + timedelta(minutes=1)
EVENT_ID_BYTES: Final = 16

_MOMENT: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_ID: Final = re.compile(r"[!-~]{1,512}", re.ASCII)
_GENESYS: Final = Actor(kind=ActorKind.GENESYS)
_AWAY: Final = (RecordsDownError, StoreDownError)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionCall:
    """A request as it came: nothing of it is believed yet."""

    unverified_moment: str | None
    unverified_signature: str | None = field(repr=False)
    body: bytes = field(repr=False)
    source: str


class DeletionCalls:
    """Takes signed requests to erase a guest. Keeps nothing but what it has seen, in the store."""

    def __init__(
        self,
        erasure: Erasure,
        *,
        secret: str,
        store: Store,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._erasure = erasure
        self._secret = secret.encode()
        self._store = store
        self._trail = trail
        self._clock = clock
        self._entropy = entropy

    def take(self, call: DeletionCall) -> Erased:
        """Erase who is named.

        Raises SignatureRefusedError, RequestRefusedError or GuestUnknownError; RecordsDownError
        or StoreDownError if it could not be finished, after which the same call may come again.
        """
        with self._refusals_told(call.source):
            seen = self._remembered(self._verified(call))
            try:
                guest_id, engagement_id = _read(call.body)
                asker = Asker(actor=_GENESYS, source=call.source, engagement_id=engagement_id)
                return self._erasure.ask(guest_id, asker)
            except _AWAY:
                self._forget(seen)
                raise

    def refused(self, source: str, why: str) -> None:
        """Write a refusal down; `trail` leaves out what is a flood, and counts it."""
        self._trail.note(
            AuditEvent(
                event_id=self._entropy.token(EVENT_ID_BYTES),
                at=self._clock.now(),
                action=Action.ERASURE_REFUSED,
                outcome=Outcome.REFUSED,
                source=source,
                # Whose guest it would have been is a stranger's word.
                details={"why": why},
            )
        )

    @contextmanager
    def _refusals_told(self, source: str) -> Iterator[None]:
        try:
            yield
        except (SignatureRefusedError, RequestRefusedError, GuestUnknownError) as error:
            self.refused(source, error.detail)
            raise

    def _verified(self, call: DeletionCall) -> bytes:
        """Return the signature if it is one. Raises SignatureRefusedError."""
        moment, signature = call.unverified_moment or "", call.unverified_signature or ""
        if not _MOMENT.fullmatch(moment) or not _SIGNATURE.fullmatch(signature):
            raise SignatureRefusedError("the signature is missing or malformed")
        signed = moment.encode() + b"." + call.body
        given = bytes.fromhex(signature)
        if not hmac.compare_digest(hmac.digest(self._secret, signed, "sha256"), given):
            raise SignatureRefusedError("the signature is wrong")
        # After the signature: a stranger learns nothing of our clock.
        if abs(self._clock.now().timestamp() - int(moment)) > WINDOW.total_seconds():
            raise SignatureRefusedError("the signature is too old or too new")
        return given

    def _remembered(self, signature: bytes) -> str:
        """Return the place of a signature that was not seen before. Raises the same."""
        place = f"deletion-call:{hashlib.sha256(signature).hexdigest()}"
        if not self._store.add(place, b"", ttl=REMEMBERED):
            raise SignatureRefusedError("the signature was used before")
        return place

    def _forget(self, place: str) -> None:
        try:
            self._store.delete(place)
        except StoreDownError:
            log.warning("a deletion call that failed must be signed anew")


def _read(body: bytes) -> tuple[str, str | None]:
    """Return guest and engagement. Raises RequestRefusedError."""
    try:
        values: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestRefusedError("the body is not JSON") from None
    if not isinstance(values, dict):
        raise RequestRefusedError("the body is not a JSON object")
    engagement = values.get("engagementId")
    if engagement is not None:
        engagement = _id(engagement, "engagementId")
    timestamp = values.get("timestamp")
    if isinstance(timestamp, bool) or not isinstance(timestamp, str | int | float | None):
        raise RequestRefusedError("timestamp is neither a text nor a number")
    return _id(values.get("guestId"), "guestId"), engagement


def _id(value: object, name: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise RequestRefusedError(f"{name} is missing or malformed")
    return value
