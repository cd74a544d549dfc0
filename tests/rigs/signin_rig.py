"""Sessions, vault and sign-out on a store in memory, before a provider that fits in one class."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import count
from typing import Any, Final

from hand_clock import HandClock
from memory_store import MemoryStore
from ring_rigs import MASTER

from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.errors import IdentityProviderDownError, ProviderAnswerError, TokensRefusedError
from bff.ports import Foundation, TokenSet
from bff.signin.records import BrowserSession, Person, SessionToken
from bff.signin.session_book import SessionBook, SessionLimits, SignedIn
from bff.signin.session_news import NewsDesk
from bff.signin.sign_out import SignOut
from bff.signin.token_vault import TokenVault, VaultPolicy

TOKEN_LIFE: Final = timedelta(minutes=15)
IDLE: Final = timedelta(hours=12)
ABSOLUTE: Final = timedelta(days=2)
NAME: Final = "main"


class Mood(StrEnum):
    """How the provider answers a renewal."""

    WELL = "well"
    DOWN = "down"
    BROKEN = "broken"
    REFUSING = "refusing"
    LOSING = "losing"  # rotates, and the answer never arrives


class StillClock(HandClock):
    """Lets others work while somebody waits, and does not turn: leases hold among threads."""

    def sleep(self, duration: timedelta) -> None:
        del duration
        threading.Event().wait(0.001)


class SmallProvider:
    """Rotates refresh tokens and notices when one is spent twice, or by two at a time."""

    def __init__(self, clock: HandClock) -> None:
        self.name = NAME
        self.mood = Mood.WELL
        self.renewals = 0
        self.spent_twice = 0
        self.at_a_time = 0
        self.revoked: list[str] = []
        # Closed, it holds answers back; `arrived` says that one is ready.
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()
        self._clock = clock
        self._numbers = count(1)
        self._good: set[str] = set()
        self._spending: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        # Sign-in itself is not part of this rig; whoever asks for it has taken the wrong one.
        raise AttributeError(f"the small provider has no {name}")

    def sign_on(self, *, life: timedelta = TOKEN_LIFE) -> TokenSet:
        """Return the tokens of a fresh sign-in."""
        number = next(self._numbers)
        self._good.add(f"refresh-{number}")
        return TokenSet(
            access_token=f"access-{number}",
            refresh_token=f"refresh-{number}",
            id_token=f"id-{number}",
            expires_at=self._clock.now() + life,
        )

    def renew(self, tokens: TokenSet) -> TokenSet:
        spent = str(tokens.refresh_token)
        with self._lock:
            self._spending[spent] += 1
            self.at_a_time = max(self.at_a_time, self._spending[spent])
        try:
            fresh = self._renewed(spent)
            self.arrived.set()
            assert self.gate.wait(20)
            return fresh
        finally:
            with self._lock:
                self._spending[spent] -= 1

    def _renewed(self, spent: str) -> TokenSet:
        self.renewals += 1
        match self.mood:
            case Mood.DOWN:
                raise IdentityProviderDownError("down")
            case Mood.BROKEN:
                raise ProviderAnswerError("broken")
            case Mood.REFUSING:
                raise TokensRefusedError("refused")
            case Mood.WELL | Mood.LOSING:
                pass
        with self._lock:
            if spent not in self._good:
                self.spent_twice += 1
                raise TokensRefusedError("spent before")
            self._good.remove(spent)
        fresh = self.sign_on()
        if self.mood is Mood.LOSING:
            raise IdentityProviderDownError("the answer was lost")
        return fresh

    def revoke(self, tokens: TokenSet) -> None:
        if self.mood is Mood.DOWN:
            raise IdentityProviderDownError("down")
        self.revoked.append(str(tokens.refresh_token))
        self._good.discard(str(tokens.refresh_token))

    def end_session_url(self, *, id_token: str | None, return_url: str, state: str) -> str | None:
        del id_token, return_url, state
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRig:
    """The services, and everything under them."""

    clock: HandClock = field(repr=False)
    store: MemoryStore = field(repr=False)
    provider: SmallProvider
    book: SessionBook
    vault: TokenVault
    sign_out: SignOut
    news: NewsDesk

    def sign_in(
        self, subject: str = "amira", *, sid: str | None = None, tokens: TokenSet | None = None
    ) -> tuple[SessionToken, BrowserSession]:
        token = self.book.new_token()
        person = Person(
            provider=NAME, subject=subject, pairwise=f"pairwise of {subject}", claims={}
        )
        signed_in = SignedIn(person=person, provider_sid=sid, auth_time=None, acr=None)
        session = self.book.begin(token, signed_in)
        self.vault.lock_away(session, tokens or self.provider.sign_on())
        return token, session

    def holds_tokens(self, session: BrowserSession) -> bool:
        return self.store.get(f"vault:{session.key}") is not None


def signin_rig(policy: VaultPolicy | None = None, *, clock: HandClock | None = None) -> SignInRig:
    clock = clock or HandClock()
    store = MemoryStore(clock)
    entropy = SystemEntropy()
    ring = KeyRing(
        store,
        "at-rest",
        master_keys=(MASTER,),
        clock=clock,
        entropy=entropy,
        rotate_after=timedelta(days=1),
        keep_for=ABSOLUTE + timedelta(days=1),
    )
    foundation = Foundation(store=store, sealer=ring, clock=clock, entropy=entropy)
    provider = SmallProvider(clock)
    book = SessionBook(foundation, limits=SessionLimits(idle=IDLE, absolute=ABSOLUTE))
    vault = TokenVault(
        foundation, book=book, providers={NAME: provider}, policy=policy or VaultPolicy()
    )
    sign_out = SignOut(
        foundation,
        book=book,
        vault=vault,
        providers={NAME: provider},
        logged_out_url="http://auth.brand.localhost/auth/logged-out",
    )
    return SignInRig(
        clock=clock,
        store=store,
        provider=provider,
        book=book,
        vault=vault,
        sign_out=sign_out,
        news=NewsDesk(store, clock=clock),
    )
