"""The keys that sign ID tokens: one signs, the next is known ahead, old ones fade out."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeyParameters, KeySet, RSAKey

from bff.crypto.sealed_drawer import Drawer
from bff.errors import StoreDownError
from bff.ports import Entropy, Foundation

log = logging.getLogger(__name__)

ALGORITHM: Final = "RS256"
KEY_BITS: Final = 2048
MAX_TOKEN_CHARS: Final = 8192

RING: Final = "ring"
RING_LIFE: Final = timedelta(days=400)
RESEAL_AFTER: Final = timedelta(hours=1)
"""Written anew this often, so that the sealing key under it may retire."""

RETENTION: Final = timedelta(hours=1)
"""How long a retired key stays published: longer than anything that it signed is valid."""


class KeyState(StrEnum):
    """Where a key is in its life."""

    NEXT = "next"
    SIGNING = "signing"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One key pair. `signs_from` and `retired_at` are None until they happen."""

    kid: str
    jwk: dict[str, Any] = field(repr=False)
    created_at: datetime
    signs_from: datetime | None = None
    retired_at: datetime | None = None

    @property
    def state(self) -> KeyState:
        """Return where this key is in its life."""
        if self.signs_from is None:
            return KeyState.NEXT
        return KeyState.SIGNING if self.retired_at is None else KeyState.RETIRING


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRing:
    """Every key that is published: exactly one signs, exactly one is next."""

    keys: tuple[SigningKey, ...]
    sealed_at: datetime

    def the(self, state: KeyState) -> SigningKey:
        """Return the only key in `state` (not for retiring ones)."""
        return next(key for key in self.keys if key.state is state)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNotice:
    """What an operator sees of a key."""

    id: str
    state: KeyState
    created_at: datetime


class SigningKeys:
    """The ring in the store, equal for every process.

    Each signature looks at the ring first: a key that another process has just retired does not
    sign here either.
    """

    def __init__(self, foundation: Foundation, *, rotate_after: timedelta) -> None:
        self._drawer = Drawer("signing-keys", SigningRing, foundation)
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        self._rotate_after = rotate_after
        self._lock = threading.Lock()
        self._last_seen: SigningRing | None = None
        self._imported: dict[str, RSAKey] = {}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a JWT of `claims`, signed by the one key that signs, and naming it."""
        key = self._ring().the(KeyState.SIGNING)
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.kid}
        # One key and its `kid`: from a key set the library would pick one by chance.
        return jwt.encode(header, dict(claims), self._pair(key), algorithms=[ALGORITHM])

    def published(self) -> dict[str, Any]:
        """Return the JWKS: public members only, in all states.

        While the store is away the last known ring is served: it holds no secret.
        """
        try:
            ring = self._ring()
        except StoreDownError:
            if self._last_seen is None:
                raise
            ring = self._last_seen
        return {"keys": [self._pair(key).as_dict(private=False) for key in ring.keys]}

    def read(self, unverified: str) -> dict[str, Any] | None:
        """Return the claims if a published key of ours signed this; its age does not matter."""
        if len(unverified) > MAX_TOKEN_CHARS:
            return None
        keys = KeySet([self._pair(key) for key in self._ring().keys])
        try:
            # The ring has two keys or more: a token without `kid` finds none of them.
            return dict(jwt.decode(unverified, keys, algorithms=[ALGORITHM]).claims)
        except (JoseError, ValueError):
            return None

    def keys(self) -> list[KeyNotice]:
        """List the keys, oldest first."""
        return [
            KeyNotice(id=key.kid, state=key.state, created_at=key.created_at)
            for key in sorted(self._ring().keys, key=lambda key: key.created_at)
        ]

    def rotate(self) -> None:
        """Let the next key sign from now on, whatever the age of the present one."""
        with self._lock:
            fresh = self._generated()
            while True:
                held = self._drawer.opened(RING)
                if held is None:
                    self._begin()
                    continue
                if self._replaced(self._rotated(held.record, fresh), held.version):
                    return

    def _ring(self) -> SigningRing:
        """Return the ring, made or tended first if that is due."""
        held = self._drawer.opened(RING)
        if held is None or self._is_due(held.record):
            with self._lock:
                return self._tended()
        self._last_seen = held.record
        return held.record

    def _tended(self) -> SigningRing:
        while True:
            held = self._drawer.opened(RING)
            if held is None:
                self._begin()
                continue
            ring = held.record
            if not self._is_due(ring):
                self._last_seen = ring
                return ring
            if self._is_old(ring):
                ring = self._rotated(ring, self._generated())
            # Whoever loses this race finds the other's ring in the next round.
            self._replaced(ring, held.version)

    def _begin(self) -> None:
        """Write a first ring; another process's, if it was quicker, stays."""
        now = self._clock.now()
        first = replace(self._generated(), signs_from=now)
        ring = SigningRing(keys=(first, self._generated()), sealed_at=now)
        if self._drawer.add(RING, ring, ttl=RING_LIFE):
            log.info("signing keys begun: %s signs", first.kid)
        elif self._drawer.opened(RING) is None:
            # It lies there and does not open: the key that sealed it is gone.
            log.warning("signing keys did not open and were replaced: %s signs", first.kid)
            self._drawer.put(RING, ring, ttl=RING_LIFE)

    def _replaced(self, ring: SigningRing, version: int) -> bool:
        now = self._clock.now()
        kept = tuple(k for k in ring.keys if k.retired_at is None or now < k.retired_at + RETENTION)
        written = replace(ring, keys=kept, sealed_at=now)
        if self._drawer.replace(RING, written, version=version, ttl=RING_LIFE) is None:
            return False
        self._last_seen = written
        return True

    def _rotated(self, ring: SigningRing, fresh: SigningKey) -> SigningRing:
        now = self._clock.now()
        old = replace(ring.the(KeyState.SIGNING), retired_at=now)
        new = replace(ring.the(KeyState.NEXT), signs_from=now)
        log.info("signing keys rotated: %s signs, %s retires", new.kid, old.kid)
        others = tuple(key for key in ring.keys if key.state is KeyState.RETIRING)
        return replace(ring, keys=(*others, old, new, fresh))

    def _is_due(self, ring: SigningRing) -> bool:
        return self._is_old(ring) or self._clock.now() - ring.sealed_at >= RESEAL_AFTER

    def _is_old(self, ring: SigningRing) -> bool:
        signs_from = ring.the(KeyState.SIGNING).signs_from
        return signs_from is not None and self._clock.now() - signs_from >= self._rotate_after

    def _generated(self) -> SigningKey:
        return generate(self._entropy, now=self._clock.now())

    def _pair(self, key: SigningKey) -> RSAKey:
        pair = self._imported.get(key.kid)
        if pair is None:
            pair = RSAKey.import_key(key.jwk)
            self._imported[key.kid] = pair
        return pair


def generate(entropy: Entropy, *, now: datetime) -> SigningKey:
    """Return a fresh key pair. Slow, a tenth of a second: only when one is needed."""
    kid = entropy.token(12)
    parameters: KeyParameters = {"kid": kid, "use": "sig", "alg": ALGORITHM}
    pair = RSAKey.generate_key(KEY_BITS, parameters, private=True)
    return SigningKey(kid=kid, jwk=dict(pair.as_dict(private=True)), created_at=now)
