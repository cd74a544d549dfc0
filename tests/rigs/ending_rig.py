"""Sessions with all that belongs to them, on any store, in as many processes as a test wants."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from hand_clock import HandClock
from ring_rigs import MASTER
from signin_rig import ABSOLUTE, IDLE, NAME, SmallProvider
from tapped_store import TappedStore

from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.errors import GenesysSilentError
from bff.guests.held_tokens import HeldPair, HeldTokens
from bff.ports import AuthCode, Foundation, PlatformAnswer, Store, TokenSet
from bff.records.audit_events import AuditEvent
from bff.records.sign_in_ledger import TrailLedger
from bff.signin.records import BrowserSession, Person, SessionKey, SessionToken
from bff.signin.session_begin import SessionBeginner
from bff.signin.session_book import SessionBook, SessionLimits, SignedIn
from bff.signin.session_end import ENDS, TELLING, SessionEnder
from bff.signin.session_expiry import ExpirySweep
from bff.signin.session_rounds import SessionRounds
from bff.signin.sign_out import REVOCATIONS, SignOut
from bff.signin.token_vault import TokenVault, VaultPolicy

PAGE: Final = "http://www.brand.localhost/"
LOGOUT: Final = "https://provider.example/logout"
DAY: Final = timedelta(days=1)


class LogoutProvider(SmallProvider):
    """The small provider, with a place for logouts and a list of what it was told."""

    def end_session_url(self, *, id_token: str | None, return_url: str, state: str) -> str | None:
        del return_url, state
        return f"{LOGOUT}?id_token_hint={id_token}"


class SmallTrail:
    """Keeps `AuditTrail` as the real one does: an event that comes twice is one.

    While it is `full`, events are in the memory of a process that dies.
    """

    def __init__(self) -> None:
        self.events: dict[str, AuditEvent] = {}
        self.full = False

    def note(self, event: AuditEvent) -> bool:
        if not self.full:
            self.events.setdefault(event.event_id, event)
        return not self.full

    def of(self, session: BrowserSession) -> list[AuditEvent]:
        return [e for e in self.events.values() if e.details["session"] == session.key[:16]]


@dataclass(slots=True)
class SmallGenesys:
    """Keeps `GenesysTokenDoors` as far as a revocation needs it."""

    silent: bool = False
    revoked: list[str] = field(default_factory=list)

    def revoke(self, jwt: str, *, limit: timedelta) -> PlatformAnswer:
        del limit
        if self.silent:
            raise GenesysSilentError("no answer")
        self.revoked.append(jwt)
        return PlatformAnswer(status=200, body={})

    def exchange(self, code: AuthCode, *, limit: timedelta) -> PlatformAnswer:
        raise NotImplementedError

    def refresh(self, refresh_token: str, *, limit: timedelta) -> PlatformAnswer:
        raise NotImplementedError

    def history(self, jwt: str, *, page: int, limit: timedelta) -> PlatformAnswer:
        raise NotImplementedError


class NoCodes:
    """Keeps `CodeSource` where nobody asks for a code."""

    def vouch(self, session_key: str) -> object:
        raise NotImplementedError

    def mint(self, session_key: str) -> AuthCode:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The services of one process."""

    book: SessionBook
    vault: TokenVault
    ends: SessionEnder
    sign_out: SignOut
    beginner: SessionBeginner
    held: HeldTokens
    sweep: ExpirySweep
    rounds: SessionRounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A session, its cookie, and what it has."""

    token: SessionToken
    session: BrowserSession
    tokens: TokenSet
    jwt: str

    @property
    def key(self) -> SessionKey:
        return self.session.key


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingRig:
    """What outlives a process: the store, the clock, and everybody outside."""

    store: TappedStore
    clock: HandClock = field(repr=False)
    provider: LogoutProvider
    other_provider: LogoutProvider
    genesys: SmallGenesys
    trail: SmallTrail
    numbers: Any = field(default_factory=count)

    def process(self, store: Store | None = None) -> Process:
        """Start a process, on the tapped store unless it has a connection of its own."""
        foundation = self.foundation(store or self.store)
        providers = {NAME: self.provider, "other": self.other_provider}
        book = SessionBook(
            foundation,
            limits=SessionLimits(idle=IDLE, absolute=ABSOLUTE),
            ledger=TrailLedger(
                trail=self.trail,
                clock=self.clock,
                entropy=foundation.entropy,
                source=lambda: None,
                operator="root",
            ),
        )
        ends = SessionEnder(foundation, book=book, providers=providers)
        vault = TokenVault(
            foundation, book=book, providers=providers, policy=VaultPolicy(), ends=ends
        )
        held = HeldTokens(foundation, codes=NoCodes(), doors=self.genesys)
        sweep = ExpirySweep(foundation, sessions=book, ends=ends)
        return Process(
            book=book,
            vault=vault,
            ends=ends,
            sign_out=SignOut(
                foundation,
                book=book,
                vault=vault,
                providers=providers,
                logged_out_url="http://auth.brand.localhost/auth/logged-out",
                held=held,
            ),
            beginner=SessionBeginner(foundation, book=book, vault=vault),
            held=held,
            sweep=sweep,
            rounds=SessionRounds(ends),
        )

    def foundation(self, store: Store) -> Foundation:
        entropy = SystemEntropy()
        ring = KeyRing(
            store,
            "at-rest",
            master_keys=(MASTER,),
            clock=self.clock,
            entropy=entropy,
            rotate_after=timedelta(days=30),
            keep_for=ABSOLUTE + 3 * DAY,
        )
        # Read once here: it is not what any test counts.
        ring.seal(b"", context="")
        return Foundation(store=store, sealer=ring, clock=self.clock, entropy=entropy)

    def sign_in(
        self,
        process: Process,
        subject: str = "amira",
        *,
        browser: str = "browser",
        issued_at: datetime | None = None,
        previous: SessionKey | None = None,
        provider: str = NAME,
    ) -> Signed:
        """Sign somebody in who has a chat as well, some seconds after all that was before."""
        self.clock.advance(timedelta(seconds=2))
        since = process.beginner.moment()
        which = self.provider if provider == NAME else self.other_provider
        tokens = which.sign_on()
        signed_in = signed(subject, provider, sid=f"sid of {subject}", issued_at=issued_at)
        begun = process.beginner.begin(
            signed_in, tokens, browser=browser, previous=previous, since=since
        )
        jwt = f"jwt-{next(self.numbers)}"
        self.hold(begun.session.key, jwt)
        return Signed(token=begun.token, session=begun.session, tokens=tokens, jwt=jwt)

    def hold(self, key: SessionKey, jwt: str) -> None:
        """Let this session have a JWT of Genesys."""
        tokens = HeldTokens(self.foundation(self.store.real), codes=NoCodes(), doors=self.genesys)
        ends_at = self.clock.now() + 20 * DAY
        pair = HeldPair(jwt=jwt, refresh_token="r", fresh_until=ends_at, ends_at=ends_at)
        tokens._drawer.put(key, pair, ttl=20 * DAY)

    def leftovers(self, signed: Signed) -> dict[str, object]:
        """Return what is still there of a session, by where it is; empty is what we want."""
        store, key = self.store.real, signed.key
        job = self.process(store).ends.ended(key)
        found = {
            "session": store.get(f"session:{key}"),
            "vault": store.get(f"vault:{key}"),
            "held": store.get(f"held-tokens:{key}"),
            "listed": key in store.members("sessions"),
            "unfinished": key in store.members(ENDS),
            "data in the job": job is not None and (job.session or job.tokens),
            "revocation": store.members(REVOCATIONS),
            "line": store.members("held-revocations"),
            "alive at the provider": signed.tokens.refresh_token not in self.provider.revoked,
            "alive at Genesys": signed.jwt not in self.genesys.revoked,
            "events": len(self.trail.of(signed.session)) != 1,
        }
        return {name: value for name, value in found.items() if value}

    def whole(self, signed: Signed) -> bool:
        """Say whether nothing of a session has been torn down."""
        store, key = self.store.real, signed.key
        names = (f"session:{key}", f"vault:{key}", f"held-tokens:{key}")
        return (
            all(store.get(name) for name in names)
            and key in store.members("sessions")
            and not self.trail.of(signed.session)
        )

    def settle(self) -> None:
        """Let another process go round until nothing is left to do."""
        for thread in threading.enumerate():
            if thread.name == TELLING:
                thread.join(20)
        process = self.process(self.store.real)
        process.sign_out.retry_revocations()


def signed(
    subject: str, provider: str = NAME, *, sid: str | None, issued_at: datetime | None
) -> SignedIn:
    person = Person(
        provider=provider, subject=subject, pairwise=f"pairwise of {subject}", claims={}
    )
    return SignedIn(person=person, provider_sid=sid, auth_time=None, acr=None, issued_at=issued_at)


def ending_rig(store: Store, clock: HandClock) -> EndingRig:
    return EndingRig(
        store=TappedStore(store),
        clock=clock,
        provider=LogoutProvider(clock),
        other_provider=LogoutProvider(clock),
        genesys=SmallGenesys(),
        trail=SmallTrail(),
    )
