"""Sign-ins beside the page, as the page that waits on one sees them."""

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from bff.crypto.sealed_drawer import Drawer, Held
from bff.errors import TransactionUnknownError, UnreadableRecordError
from bff.ports import Foundation
from bff.signin.fingerprints import hashed
from bff.signin.records import SessionKey, Surface

TRANSACTION_LIFE: Final = timedelta(minutes=10)
AFTERLIFE: Final = timedelta(minutes=5)
"""How long a page may still learn that its sign-in has expired, instead of nothing at all."""

UNDERWAY: Final = timedelta(seconds=3)
"""How long the window gets to load our last page, by which its browser has the new cookie."""


class TransactionStatus(StrEnum):
    """How far a sign-in beside the page has come."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A sign-in beside the page. One with a `session` asks for a code only, and no person."""

    browser: str = field(repr=False)
    provider: str
    return_url: str
    surface: Surface
    ends_at: datetime
    session: SessionKey | None = None
    begun: bool = False
    arrived_at: datetime | None = None
    status: TransactionStatus = TransactionStatus.PENDING
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a new transaction is for."""

    provider: str
    return_url: str
    surface: Surface
    life: timedelta = TRANSACTION_LIFE
    session: SessionKey | None = None


class Transactions:
    """Opens them, shows them to the browser that opened them, and settles them."""

    def __init__(self, foundation: Foundation) -> None:
        self._drawer = Drawer("transaction", Transaction, foundation)
        self._clock = foundation.clock
        self._entropy = foundation.entropy

    def open(self, opening: Opening, *, browser: str) -> str:
        """Prepare one; return the id that the page waits on."""
        transaction = Transaction(
            browser=hashed(browser),
            provider=opening.provider,
            return_url=opening.return_url,
            surface=opening.surface,
            session=opening.session,
            ends_at=self._clock.now() + opening.life,
        )
        key = self._entropy.token(16)
        self._drawer.put(key, transaction, ttl=opening.life + AFTERLIFE)
        return key

    def look(self, key: str, *, browser: str | None) -> Transaction:
        """Return how far one of this browser is. Raises TransactionUnknownError."""
        known = self._held(key, browser=browser).record
        now = self._clock.now()
        if known.status is not TransactionStatus.PENDING:
            return known
        if known.arrived_at is not None:
            # Whoever closes the window before its last page has loaded is signed in all the same.
            over = now - known.arrived_at >= UNDERWAY
            return replace(known, status=TransactionStatus.DONE) if over else known
        if now >= known.ends_at:
            code = TransactionUnknownError.code
            return replace(known, status=TransactionStatus.EXPIRED, code=code)
        return known

    def usable(self, key: str, *, browser: str | None) -> Transaction:
        """Return one in which somebody may still sign in. Raises TransactionUnknownError."""
        known = self.look(key, browser=browser)
        over = self._clock.now() >= known.ends_at
        if over or known.session is not None or known.status is TransactionStatus.DONE:
            raise TransactionUnknownError("transaction is over, or not for a person")
        return known

    def begin_silently(self, key: str, *, browser: str | None) -> Transaction:
        """Return one that asks for a code only, for its first visit. TransactionUnknownError."""
        held = self._held(key, browser=browser)
        known = held.record
        if known.begun or known.session is None or self._clock.now() >= known.ends_at:
            raise TransactionUnknownError("transaction is over, begun, or needs a person")
        begun = replace(known, begun=True)
        if self._drawer.replace(key, begun, version=held.version, ttl=self._rest(known)) is None:
            raise TransactionUnknownError("transaction was begun by somebody else")
        return begun

    def arrive(self, key: str | None) -> None:
        """Note that somebody has signed in, whose browser is about to learn it.

        The page is not told yet: it would ask who is there before the cookie is.
        """
        self._change(key, arrived_at=self._clock.now())

    def settle(self, key: str | None, *, code: str | None) -> None:
        """Tell the page that waits, if one does: done, or failed with an error's public code.

        Done stays done: whoever signed in is signed in, whatever else that window tries.
        """
        status = TransactionStatus.DONE if code is None else TransactionStatus.FAILED
        self._change(key, status=status, code=code)

    def confirm(self, key: str, *, browser: str | None) -> None:
        """Tell the page now: this browser has loaded our last page. TransactionUnknownError."""
        if self._held(key, browser=browser).record.arrived_at is not None:
            self.settle(key, code=None)

    def _change(self, key: str | None, **changes: Any) -> None:
        try:
            held = self._drawer.get(key) if key else None
        except UnreadableRecordError:
            # Whoever has just signed in has; the page that waits learns it when it asks.
            return
        if held is None or key is None or held.record.status is TransactionStatus.DONE:
            return
        changed = replace(held.record, **changes)
        self._drawer.replace(key, changed, version=held.version, ttl=self._rest(changed))

    def _held(self, key: str, *, browser: str | None) -> Held[Transaction]:
        held = self._drawer.get(key)
        if held is None or browser is None:
            raise TransactionUnknownError("no such transaction")
        if not hmac.compare_digest(held.record.browser, hashed(browser)):
            raise TransactionUnknownError("transaction of another browser")
        return held

    def _rest(self, transaction: Transaction) -> timedelta:
        """Return how long it is kept; somebody may finish in a window later than its end."""
        return max(transaction.ends_at - self._clock.now(), timedelta(0)) + AFTERLIFE
