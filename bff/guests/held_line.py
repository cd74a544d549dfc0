"""Genesys tokens of ended sessions that wait to be revoked: kept until Genesys has heard."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.ports import Foundation

LINE: Final = "held-revocations"
NAME_BYTES: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPair:
    """What the store holds for a session; empty while the first exchange is under way."""

    jwt: str = field(default="", repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    fresh_until: datetime
    ends_at: datetime
    down_until: datetime | None = None


class HeldLine:
    """Pairs in line, each under a name that begins with its session's key."""

    def __init__(self, foundation: Foundation, *, keep: timedelta) -> None:
        self._store = foundation.store
        self._entropy = foundation.entropy
        self._drawer = Drawer("held-revocation", HeldPair, foundation)
        self._keep = keep

    def add(self, session_key: str, pair: HeldPair) -> None:
        """Put a pair in line. Twice does no harm: it is revoked twice. Raises StoreDownError."""
        name = f"{session_key}.{self._entropy.token(NAME_BYTES)}"
        self._drawer.put(name, pair, ttl=self._keep)
        for group in (LINE, _of(session_key)):
            self._store.join(group, name, ttl=self._keep)

    def names(self, session_key: str | None = None) -> list[str]:
        """Return what is in line, of one session or of all."""
        # The whole line may be long, and a sign-out must not wait for it.
        return self._store.members(LINE if session_key is None else _of(session_key))

    def read(self, name: str) -> HeldPair | None:
        """Return a pair; None if somebody else has revoked it."""
        held = self._drawer.get(name)
        return None if held is None else held.record

    def remove(self, name: str) -> None:
        """Take a pair out of the line."""
        self._drawer.delete(name)
        for group in (LINE, _of(name.partition(".")[0])):
            self._store.leave(group, name)


def _of(session_key: str) -> str:
    return f"{LINE}:{session_key}"
