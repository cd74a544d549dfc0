"""The platform client's token: asked for by one, sealed in the store, read by all."""

import hashlib
import logging
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from bff import errors
from bff.crypto.sealed_drawer import Drawer, Held
from bff.errors import BffError, GenesysAnswerError, GenesysDownError, GenesysSilentError
from bff.guests.back_off import BackOff
from bff.guests.platform_answers import said_yes
from bff.leases import kept
from bff.ports import Foundation, GenesysPlatform, PlatformAnswer

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = timedelta(milliseconds=50)
LEAD: Final = timedelta(seconds=60)
LEASE: Final = timedelta(seconds=5)
# Whoever waited for a failure is given it; whoever comes later may ask again.
SHARED_FOR: Final = timedelta(seconds=2)
LONGEST_REST: Final = timedelta(seconds=60)
# An answer without `expires_in`; no client of Genesys can have a shorter one.
DEFAULT_LIFE: Final = timedelta(seconds=300)
LONGEST_LIFE: Final = timedelta(days=2)

_FAILURES: Final[dict[str, type[BffError]]] = {
    kind.code: kind
    for kind in (
        errors.GenesysDownError,
        errors.GenesysCredentialsError,
        errors.GenesysPermissionError,
        errors.GenesysRefusedError,
        errors.GenesysAnswerError,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSlot:
    """What the store holds: a token, or the last failure, or both while an old token lives."""

    token: str = field(default="", repr=False)
    fresh_until: datetime
    ends_at: datetime
    failure: str = ""
    failure_detail: str = ""
    resting_until: datetime | None = None


class PlatformTokens:
    """One token for all callers in all processes, kept until shortly before it ends."""

    def __init__(
        self, foundation: Foundation, *, platform: GenesysPlatform, back_off: BackOff
    ) -> None:
        self._store = foundation.store
        self._clock = foundation.clock
        self._drawer = Drawer("genesys-token", TokenSlot, foundation, spare=True)
        self._platform = platform
        self._back_off = back_off
        self._gate = threading.Lock()
        self._name = hashlib.sha256(platform.name.encode()).hexdigest()[:32]

    def current(self, *, deadline: datetime) -> str:
        """Return a good token; ask for one if there is none.

        However many call at once, in however many processes, one of them asks, and the others
        get what it got: the token, or for a moment its failure. Raises GenesysDownError,
        GenesysCredentialsError, GenesysRefusedError or GenesysAnswerError.
        """
        token = self._known(self._drawer.get(self._name))
        if token is not None:
            return token
        # One of this process at a time: its other threads wait here and not at the store.
        if not self._gate.acquire(timeout=self._seconds_until(deadline)):
            raise GenesysDownError("somebody else's token request takes too long")
        try:
            return self._wait_or_ask(deadline)
        finally:
            self._gate.release()

    def drop(self, token: str) -> None:
        """Forget `token`, which was refused, unless another has taken its place already."""
        while (held := self._drawer.get(self._name)) and held.record.token == token:
            now = self._clock.now()
            empty = replace(held.record, token="")
            ttl = max(SHARED_FOR, (empty.resting_until or now) - now)
            done = self._drawer.replace(self._name, empty, version=held.version, ttl=ttl)
            if done is not None:
                log.info("genesys refused the platform token before its time; it was dropped")
                return

    def _wait_or_ask(self, deadline: datetime) -> str:
        while True:
            token = self._known(self._drawer.get(self._name))
            if token is not None:
                return token
            lease = self._store.acquire_lease(f"genesys-token:{self._name}", ttl=LEASE)
            if lease is not None:
                with kept(self._store, lease, ttl=LEASE):
                    return self._ask_alone(deadline)
            if self._clock.now() >= deadline:
                raise GenesysDownError("somebody else's token request takes too long")
            self._clock.sleep(LOOK_AGAIN)

    def _known(self, held: Held[TokenSlot] | None) -> str | None:
        """Return the token that is there, or None if somebody should ask; or raise why not."""
        if held is None:
            return None
        now, slot = self._clock.now(), held.record
        if slot.token and now < slot.fresh_until:
            return slot.token
        if slot.resting_until is None or now >= slot.resting_until:
            return None
        if slot.token and now < slot.ends_at:
            return slot.token
        kind = _FAILURES.get(slot.failure, GenesysDownError)
        error = kind(f"{slot.failure_detail} (a moment ago)")
        error.retry_after = slot.resting_until - now
        raise error

    def _ask_alone(self, deadline: datetime) -> str:
        # Another process may have got one while we queued.
        held = self._drawer.get(self._name)
        token = self._known(held)
        if token is not None:
            return token
        try:
            slot = self._back_off.insist(lambda: self._ask_once(deadline), deadline=deadline)
        except BffError as error:
            return self._share(held, error)
        self._drawer.put(self._name, slot, ttl=slot.ends_at - self._clock.now())
        return slot.token

    def _ask_once(self, deadline: datetime) -> TokenSlot:
        asked_at = self._clock.now()
        try:
            answer = self._platform.request_token(limit=deadline - asked_at)
            return _slot(answer, asked_at)
        except GenesysSilentError as error:
            # A token more or less harms nobody: this POST may be repeated.
            raise GenesysDownError(error.detail, retry_after=error.retry_after) from error

    def _seconds_until(self, deadline: datetime) -> float:
        return max(0.0, (deadline - self._clock.now()).total_seconds())

    def _share(self, held: Held[TokenSlot] | None, error: BffError) -> str:
        """Keep the failure for those who wait; live on with an old token while there is one."""
        if error.code not in _FAILURES:
            raise error
        now = self._clock.now()
        old = held.record if held else TokenSlot(fresh_until=now, ends_at=now)
        wait = min(max(error.retry_after or timedelta(0), SHARED_FOR), LONGEST_REST)
        slot = replace(
            old, failure=error.code, failure_detail=error.detail, resting_until=now + wait
        )
        ttl = max(wait, old.ends_at - now)
        if held is None:
            self._drawer.put(self._name, slot, ttl=ttl)
        elif self._drawer.replace(self._name, slot, version=held.version, ttl=ttl) is None:
            # Dropped or renewed meanwhile: what is there now is newer than what we know.
            raise error
        if old.token and now < old.ends_at:
            log.warning("genesys gives no new token, the old one lives: %s", error.detail)
            return old.token
        raise error


def _slot(answer: PlatformAnswer, asked_at: datetime) -> TokenSlot:
    """Return what a token answer brought, or raise what it means (RFC 6749 section 5)."""
    if answer.body.get("error") in ("invalid_client", "unauthorized_client"):
        raise errors.GenesysCredentialsError(f"token: {answer.status} {answer.body['error']}")
    body = said_yes(answer, what="token")
    token = body.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise GenesysAnswerError("token: the answer has no access_token")
    if str(body.get("token_type", "")).lower() != "bearer":
        raise GenesysAnswerError("token: the answer is not of type bearer")
    life = _life(body.get("expires_in"))
    # A short life is renewed in its last quarter: a minute might be all of it.
    lead = min(LEAD, life / 4)
    return TokenSlot(token=token, fresh_until=asked_at + life - lead, ends_at=asked_at + life)


def _life(expires_in: object) -> timedelta:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        return DEFAULT_LIFE
    if not expires_in > 0:
        raise GenesysAnswerError("token: it has expired before it came")
    return timedelta(seconds=min(expires_in, LONGEST_LIFE.total_seconds()))
