"""Tokens that their provider is to be told about: at once, or as soon as it can be told."""

import logging
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bff.crypto.sealed_drawer import Drawer
from bff.errors import BffError, UnreadableRecordError
from bff.ports import Foundation, IdentityProvider, TokenSet

log = logging.getLogger(__name__)

REVOCATION_LIFE: Final = timedelta(days=1)
REVOCATIONS: Final = "revocations"
FRESH: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Tokens that the provider could not be told about yet, and when to give up."""

    provider: str
    tokens: TokenSet
    until: datetime


class Revocations:
    """Tells providers that tokens are no longer good, and keeps what they could not be told.

    Telling twice does no harm (RFC 7009 section 2.2): whoever dies in between loses nothing.
    """

    def __init__(
        self, foundation: Foundation, *, providers: Mapping[str, IdentityProvider]
    ) -> None:
        self._store = foundation.store
        self._drawer = Drawer("revocation", Revocation, foundation)
        self._providers = providers
        self._clock = foundation.clock
        self._entropy = foundation.entropy
        # Without a background nobody empties it; a round finds all of it in the store.
        self._fresh: deque[str] = deque(maxlen=FRESH)
        self.waiting: Final = threading.Event()
        """Set when this process has kept something that could be told at once."""

    def provider(self, name: str) -> IdentityProvider | None:
        """Return the provider of that name, if it is still configured."""
        return self._providers.get(name)

    def tell_or_keep(self, provider: str, tokens: TokenSet, *, name: str | None = None) -> None:
        """Tell the provider now; keep for later what it could not be told."""
        if not self._told(provider, tokens):
            self.keep(provider, tokens, name=name)

    def keep(self, provider: str, tokens: TokenSet, *, name: str | None = None) -> None:
        """Have the provider told later. The same `name` is the same revocation."""
        name = name or self._entropy.token(16)
        later = Revocation(
            provider=provider, tokens=tokens, until=self._clock.now() + REVOCATION_LIFE
        )
        self._drawer.put(name, later, ttl=REVOCATION_LIFE)
        self._store.join(REVOCATIONS, name, ttl=REVOCATION_LIFE)

    def soon(self, provider: str, tokens: TokenSet, *, name: str) -> None:
        """Keep it, and have the background of this process tell it at once."""
        self.keep(provider, tokens, name=name)
        self._fresh.append(name)
        self.waiting.set()

    def tell_fresh(self) -> int:
        """Tell what this process has kept for `soon`; what is not told waits for a round."""
        names = [self._fresh.popleft() for _ in range(len(self._fresh))]
        return self._tell(names)

    def tell_waiting(self) -> int:
        """Tell what waits, in the store, from any process; return how many were told.

        What is not told stays for the next round, up to a day.
        """
        return self._tell(self._store.members(REVOCATIONS))

    def _tell(self, names: list[str]) -> int:
        told = 0
        silent: set[str] = set()
        for name in names:
            try:
                held = self._drawer.get(name)
            except UnreadableRecordError:
                # Perhaps a newer version can read it, or another round.
                continue
            if held is not None and self._clock.now() < held.record.until:
                # One refusal to answer is enough: a thousand more would take a thousand time-outs.
                if held.record.provider in silent:
                    continue
                if not self._told(held.record.provider, held.record.tokens):
                    silent.add(held.record.provider)
                    continue
                told += 1
            self._drawer.delete(name)
            self._store.leave(REVOCATIONS, name)
        return told

    def _told(self, name: str, tokens: TokenSet) -> bool:
        provider = self._providers.get(name)
        if provider is None:
            # It is no longer configured: nobody is left to tell.
            return True
        try:
            provider.revoke(tokens)
        except BffError as error:
            log.warning("revocation at %s is kept for later: %s", name, error.detail)
            return False
        return True
