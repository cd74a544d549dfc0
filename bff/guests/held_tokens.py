"""Mode held: the Genesys JWT and refresh token of a session stay here; no page ever sees one."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer, Held
from bff.errors import (
    BffError,
    GenesysDownError,
    GenesysRefusedError,
    GenesysSilentError,
    SignInRequiredError,
    StoreDownError,
    UnreadableRecordError,
)
from bff.guests.back_off import BackOff, Patience
from bff.guests.guest_token_answers import NO_ANSWER, is_token, judged, jwt_in
from bff.guests.held_line import HeldLine, HeldPair
from bff.guests.jwt_life import life_of
from bff.leases import kept
from bff.ports import CodeSource, Foundation, GenesysTokenDoors

__all__ = ["HeldPair", "HeldPolicy", "HeldTokens"]

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = timedelta(milliseconds=100)
# Longer than an exchange can take; until then the place must not look like a sign-out.
EMPTY_LIFE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPolicy:
    """When a JWT is too old to be used, how long to wait and to rest, how long to keep a pair."""

    margin: timedelta = timedelta(seconds=5)
    lease: timedelta = timedelta(seconds=5)
    limit: timedelta = timedelta(seconds=30)
    patience: timedelta = timedelta(seconds=45)
    down_pause: timedelta = timedelta(seconds=2)
    keep: timedelta = timedelta(hours=24)


class HeldTokens:
    """Gives the JWT of a signed-in session, and takes it away at Genesys when the session ends.

    During an exchange Genesys calls our own token endpoint, perhaps in this very worker, and waits
    for it; we wait for Genesys. So nothing that the endpoint could want is held meanwhile: no lock
    and no database transaction, only a lease, which is a row with an end, and of a name that nobody
    but we asks for (the endpoint may renew the provider's tokens, under a lease of its own). Where
    workers are greenlets or threads, that is all that it takes; a worker that can do one thing at
    a time cannot serve its own redemption and must not call this.
    """

    def __init__(
        self,
        foundation: Foundation,
        *,
        codes: CodeSource,
        doors: GenesysTokenDoors,
        policy: HeldPolicy | None = None,
    ) -> None:
        self._store = foundation.store
        self._drawer = Drawer("held-tokens", HeldPair, foundation, spare=True)
        self._policy = policy or HeldPolicy()
        self._line = HeldLine(foundation, keep=self._policy.keep)
        self._clock = foundation.clock
        self._codes = codes
        self._doors = doors
        # The refresh token is not rotated: asking twice is the same as asking once.
        self._back_off = BackOff(
            Patience(tries=2, longest_wait=timedelta(seconds=2)),
            clock=foundation.clock,
            entropy=foundation.entropy,
        )

    def jwt_for(self, session_key: str, *, refused: str | None = None) -> str:
        """Return a JWT that is good for some seconds more: use it at once.

        However many ask, in however many processes, one of them asks Genesys. `refused` is the
        JWT that Genesys did not take although it should be good.

        Raises SignInRequiredError if the session is over or Genesys refuses a fresh code;
        IdentityProviderDownError, GenesysDownError, GenesysSilentError or GenesysAnswerError if
        nobody was refused: everything is kept, and asking again is safe.
        """
        try:
            self._codes.vouch(session_key)
        except SignInRequiredError:
            self.forget(session_key)
            raise
        deadline = self._clock.now() + self._policy.patience
        while True:
            jwt = self._known(self._drawer.get(session_key), refused)
            if jwt is not None:
                return jwt
            lease = self._store.acquire_lease(f"held:{session_key}", ttl=self._policy.lease)
            if lease is not None:
                with kept(self._store, lease, ttl=self._policy.lease):
                    return self._get_alone(session_key, refused)
            if self._clock.now() >= deadline:
                raise GenesysDownError("somebody else's exchange takes too long")
            self._clock.sleep(LOOK_AGAIN)

    def release(self, session_key: str) -> bool:
        """Take the tokens away here and line them up to be revoked; say if there are any.

        To be called after the session has ended: an exchange under way finds that out, at our
        token endpoint or when it wants to save, and undoes itself. Repeatable.
        """
        held = self._drawer.get(session_key)
        if held is None:
            return bool(self._line.names(session_key))
        # In line first, and out of its place then: whoever dies in between lines it up twice.
        first = held.record
        if first.jwt:
            self._line.add(session_key, first)
        try:
            last = self._drawer.take(session_key) or first
        except UnreadableRecordError:
            # Written over meanwhile: what we have read is in line.
            self._drawer.delete(session_key)
            last = first
        if last.jwt and last != first:
            self._line.add(session_key, last)
        return bool(first.jwt or last.jwt)

    def forget(self, session_key: str) -> bool:
        """Forget the tokens and revoke them; False if Genesys may not have heard of it.

        They stay in line then, for `tell_waiting`. What is not revoked dies when Genesys next
        wants a token of ours, which the broker refuses.
        """
        if not self.release(session_key):
            return True
        names = self._line.names(session_key)
        return self._tell(names) == len(names)

    def tell_waiting(self) -> int:
        """Revoke what is in line; return how many. One call without an answer ends the round."""
        return self._tell(self._line.names())

    def _known(self, held: Held[HeldPair] | None, refused: str | None) -> str | None:
        """Return what is there, or None if somebody should ask; raise while nobody should."""
        if held is None:
            return None
        now, pair = self._clock.now(), held.record
        usable = bool(pair.jwt) and pair.jwt != refused
        if usable and now < pair.fresh_until:
            return pair.jwt
        if pair.down_until is None or now >= pair.down_until:
            return None
        if usable and now < pair.ends_at:
            return pair.jwt
        wait = pair.down_until - now
        raise GenesysDownError("resting after a call without an answer", retry_after=wait)

    def _get_alone(self, key: str, refused: str | None) -> str:
        # Somebody may have got one while we queued.
        jwt = self._known(self._drawer.get(key), refused)
        if jwt is not None:
            return jwt
        held = self._place(key)
        try:
            return self._refreshed(key, held, refused) or self._exchanged(key, held)
        except NO_ANSWER as error:
            return self._without_answer(key, held, error, refused)

    def _place(self, key: str) -> Held[HeldPair]:
        """Return the record, an empty one if need be: only over it may a pair be saved later.

        Its end is moved, so that it cannot run out while we ask and look like a sign-out.
        """
        now = self._clock.now()
        self._drawer.add(key, HeldPair(fresh_until=now, ends_at=now), ttl=EMPTY_LIFE)
        held = self._drawer.get(key)
        version = self._save(key, held.record, version=held.version) if held else None
        if held is None or version is None:
            raise SignInRequiredError("the session has ended meanwhile")
        return Held(record=held.record, version=version)

    def _refreshed(self, key: str, held: Held[HeldPair], refused: str | None) -> str | None:
        """Return a JWT for the refresh token, or None if only a fresh exchange can help."""
        pair = held.record
        if pair.refresh_token is None:
            return None
        try:
            renewed = self._renewed(pair)
        except GenesysRefusedError as error:
            log.info("session %s: %s; a fresh code is tried", key[:8], error.detail)
            return None
        if renewed.jwt == refused:
            return None
        if self._save(key, renewed, version=held.version) is None:
            return self._overtaken(key)
        return renewed.jwt

    def _renewed(self, pair: HeldPair) -> HeldPair:
        asked_at = self._clock.now()
        jwt = self._back_off.insist(
            lambda: self._refresh_once(pair.refresh_token or ""),
            deadline=asked_at + self._policy.limit,
        )
        if jwt == pair.jwt:
            # Asked too early, which never gives a new one: it is the JWT until its very end.
            return replace(pair, fresh_until=max(pair.ends_at, asked_at), down_until=None)
        return self._pair(jwt, pair.refresh_token, asked_at)

    def _refresh_once(self, refresh_token: str) -> str:
        try:
            answer = self._doors.refresh(refresh_token, limit=self._policy.limit)
            return jwt_in(judged(answer, what="refresh"), what="refresh")
        except GenesysSilentError as error:
            raise GenesysDownError(error.detail, retry_after=error.retry_after) from error

    def _exchanged(self, key: str, held: Held[HeldPair]) -> str:
        """Spend a fresh code. It is asked once: whatever came of it, the next try has its own."""
        asked_at = self._clock.now()
        try:
            answer = self._doors.exchange(self._codes.mint(key), limit=self._policy.limit)
            body = judged(answer, what="exchange")
        except GenesysRefusedError as error:
            log.warning("session %s: no JWT for a fresh code: %s", key[:8], error.detail)
            self._drawer.delete(key)
            raise SignInRequiredError(error.detail) from error
        refresh_token = body.get("refreshToken")
        pair = self._pair(
            jwt_in(body, what="exchange"),
            refresh_token if is_token(refresh_token) else None,
            asked_at,
        )
        if self._save(key, pair, version=held.version) is not None:
            return pair.jwt
        if self._drawer.get(key) is None:
            # Signed out while Genesys answered: nobody else knows of these tokens.
            self._orphaned(key, pair)
        return self._overtaken(key)

    def _orphaned(self, key: str, pair: HeldPair) -> None:
        try:
            self._line.add(key, pair)
            self.forget(key)
        except StoreDownError:
            self._revoked(key, pair)

    def _overtaken(self, key: str) -> str:
        """Somebody changed the record while we asked: by ending it, or by asking as well."""
        held = self._drawer.get(key)
        if held is None or not held.record.jwt:
            raise SignInRequiredError("the session has ended meanwhile")
        return held.record.jwt

    def _pair(self, jwt: str, refresh_token: str | None, asked_at: datetime) -> HeldPair:
        life = life_of(jwt, asked_at=asked_at)
        ends_at = asked_at + life
        margin = min(self._policy.margin, life / 4)
        return HeldPair(
            jwt=jwt, refresh_token=refresh_token, fresh_until=ends_at - margin, ends_at=ends_at
        )

    def _save(self, key: str, pair: HeldPair, *, version: int) -> int | None:
        ttl = self._policy.keep if pair.jwt else EMPTY_LIFE
        return self._drawer.replace(key, pair, version=version, ttl=ttl)

    def _without_answer(
        self, key: str, held: Held[HeldPair], error: BffError, refused: str | None
    ) -> str:
        """Nobody was refused: keep everything, and let nobody ask again for a moment."""
        pause = max(error.retry_after or timedelta(0), self._policy.down_pause)
        pair = replace(held.record, down_until=self._clock.now() + pause)
        self._save(key, pair, version=held.version)
        log.warning("session %s: %s", key[:8], error.detail)
        if pair.jwt and pair.jwt != refused and self._clock.now() < pair.ends_at:
            return pair.jwt
        error.retry_after = pause
        raise error

    def _tell(self, names: list[str]) -> int:
        for told, name in enumerate(names):
            try:
                pair = self._line.read(name)
            except UnreadableRecordError:
                # Perhaps a newer version can read it, or another round.
                continue
            if pair is not None and not self._revoked(name, pair):
                return told
            self._line.remove(name)
        return len(names)

    def _revoked(self, key: str, pair: HeldPair) -> bool:
        try:
            self._revoke(pair)
        except GenesysRefusedError as error:
            # Neither its JWT nor its refresh token is good for anything: that is what we wanted.
            log.info("session %s: %s", key[:8], error.detail)
        except NO_ANSWER as error:
            log.warning("session %s: not revoked at Genesys: %s", key[:8], error.detail)
            return False
        return True

    def _revoke(self, pair: HeldPair) -> None:
        """Revoke needs a JWT that lives: one that has died is renewed first."""
        if self._clock.now() < pair.ends_at:
            try:
                return self._revoke_once(pair.jwt)
            except GenesysRefusedError:
                log.debug("the JWT died on the way")
        if pair.refresh_token is None:
            raise GenesysRefusedError("revoke: the JWT has expired, and nothing can renew it")
        return self._revoke_once(self._renewed(pair).jwt)

    def _revoke_once(self, jwt: str) -> None:
        judged(self._doors.revoke(jwt, limit=self._policy.limit), what="revoke")
