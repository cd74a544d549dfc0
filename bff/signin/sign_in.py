"""One sign-in from the first redirect to the session: what was asked must fit what is answered."""

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bff.crypto.sealed_drawer import Drawer
from bff.errors import (
    AttemptUnknownError,
    BffError,
    IssuerMixUpError,
    ProviderUnknownError,
    RequestRefusedError,
    SignInDeniedError,
    UnreadableRecordError,
)
from bff.flow_ports import NO_WATCH, FlowStep, FlowWatch
from bff.ports import (
    NO_LEDGER,
    Demands,
    Foundation,
    IdentityProvider,
    SignInLedger,
    VerifiedIdentity,
)
from bff.signin.claims_map import mapped_claims
from bff.signin.fingerprints import PairwiseSubjects, hashed
from bff.signin.records import (
    Attempt,
    BrowserSession,
    Person,
    SessionKey,
    SessionToken,
    Surface,
)
from bff.signin.redirect_uris import callback_of, redirect_uri
from bff.signin.session_begin import SessionBeginner
from bff.signin.session_book import SessionBook, SignedIn
from bff.signin.token_vault import TokenVault
from bff.signin.transactions import Opening, Transactions

log = logging.getLogger(__name__)

ATTEMPT_LIFE: Final = timedelta(minutes=10)
SECTOR: Final = "genesys"
AHEAD: Final = timedelta(seconds=30)
LAST_SECOND: Final = 253402300799  # 9999-12-31T23:59:59Z
PROMPTS: Final = frozenset({"none", "login", "select_account", "consent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDesk:
    """A provider, what we demand of a sign-in there, and how its claims are called."""

    provider: IdentityProvider
    issuer: str
    demands: Demands
    claim_names: Mapping[str, str]
    assume_email_verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a page wants when it sends somebody to sign in.

    `prompt` counts where the operator has configured none. `previous` is for whoever knows the
    session of this browser without its cookie.
    """

    return_url: str
    surface: Surface = Surface.REDIRECT
    provider: str | None = None
    transaction: str | None = None
    prompt: str | None = None
    current: SessionToken | None = field(default=None, repr=False)
    previous: SessionKey | None = None
    second_try: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The parameters of an authorization response, as they came, and the redirect URI's end."""

    code: str | None = field(repr=False)
    iss: str | None
    error: str | None
    callback: str | None = None

    def check_callback(self, expected: str | None) -> None:
        """Raise IssuerMixUpError if it came to the redirect URI of another provider."""
        if self.callback != expected:
            raise IssuerMixUpError("authorization response: at another provider's redirect URI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """A finished sign-in: the secret for the cookie, and the session behind it."""

    token: SessionToken = field(repr=False)
    session: BrowserSession


class SignIn:
    """Signs people in at one of several providers."""

    def __init__(  # noqa: PLR0913 - wired in one place, by keyword
        self,
        foundation: Foundation,
        *,
        desks: Mapping[str, ProviderDesk],
        book: SessionBook,
        vault: TokenVault,
        transactions: Transactions,
        subjects: PairwiseSubjects,
        redirect_uri: str,
        ledger: SignInLedger = NO_LEDGER,
        watch: FlowWatch = NO_WATCH,
    ) -> None:
        self._attempts = Drawer("attempt", Attempt, foundation)
        self._clock = foundation.clock
        self._transactions = transactions
        self._desks = desks
        self._book = book
        self._beginner = SessionBeginner(foundation, book=book, vault=vault)
        self._subjects = subjects
        self._redirect_uri = redirect_uri
        self._ledger = ledger
        self._watch = watch

    def start(self, wish: Wish, *, browser: str) -> str:
        """Remember an attempt of this browser; return the provider's URL to go to.

        `browser` is the secret of the browser's attempt cookie. Raises ProviderUnknownError,
        IdentityProviderDownError, ProviderAnswerError, RequestRefusedError.
        """
        if wish.transaction is not None:
            wish = self._from_transaction(wish, browser)
        name, desk = self._desk(wish.provider)
        if wish.prompt is not None and wish.prompt not in PROMPTS:
            raise RequestRefusedError("unknown prompt")
        # What the operator asks for is a rule; a page that could lift it would make it a wish.
        demands = replace(desk.demands, prompt=desk.demands.prompt or wish.prompt)
        callback = callback_of(name, self._desks)
        request = desk.provider.authorization_request(
            redirect_uri=redirect_uri(self._redirect_uri, callback), demands=demands
        )
        attempt = Attempt(
            provider=name,
            browser=hashed(browser),
            nonce=request.nonce,
            code_verifier=request.code_verifier,
            return_url=wish.return_url,
            surface=wish.surface,
            since=self._beginner.moment(),
            transaction=wish.transaction,
            prompt=demands.prompt,
            max_age=demands.max_age,
            acr_values=demands.acr_values,
            previous=wish.previous or self._current_key(wish),
            callback=callback,
            not_before=self._clock.now() if desk.demands.prompt == "login" else None,
            second_try=wish.second_try,
        )
        self._attempts.put(hashed(request.state), attempt, ttl=ATTEMPT_LIFE)
        self._watch.note(
            FlowStep.SIGN_IN_STARTED,
            facts={"provider": name, "surface": wish.surface.value, "prompt": demands.prompt},
        )
        return request.url

    def claim(self, unverified_state: str | None, *, browser: str | None) -> Attempt:
        """Return the attempt that `state` names, once, if this browser started it.

        Raises AttemptUnknownError: a stranger's answer in this browser is login CSRF.
        """
        attempt = self._attempts.take(hashed(unverified_state)) if unverified_state else None
        if attempt is None or browser is None:
            raise AttemptUnknownError("state is unknown, used or too old")
        if not hmac.compare_digest(attempt.browser, hashed(browser)):
            raise AttemptUnknownError("state belongs to another browser")
        return attempt

    def finish(self, attempt: Attempt, answer: Answer) -> Established:
        """Turn the provider's answer into a session.

        Raises IssuerMixUpError, SignInDeniedError, ProviderAnswerError, StepUpFailedError or
        IdentityProviderDownError; nobody is signed in then, and nobody is signed out.
        """
        try:
            done = self._established(attempt, answer)
        except BffError as error:
            self._ledger.failed(provider=attempt.provider, code=error.code)
            raise
        person = done.session.person
        log.info("session %s began at %s", done.session.key[:8], person.provider)
        self._ledger.began(
            person=person.pairwise, provider=person.provider, session_key=done.session.key
        )
        return done

    def open_transaction(self, wish: Wish, *, browser: str) -> str:
        """Prepare a sign-in beside the page; return the id that the page waits on."""
        name, _ = self._desk(wish.provider)
        opening = Opening(provider=name, return_url=wish.return_url, surface=wish.surface)
        return self._transactions.open(opening, browser=browser)

    def _established(self, attempt: Attempt, answer: Answer) -> Established:
        name, desk = self._desk(attempt.provider)
        answer.check_callback(attempt.callback)
        desk.provider.check_response_issuer(answer.iss)
        if answer.error is not None or not answer.code:
            raise SignInDeniedError(f"provider error: {(answer.error or 'no code')[:64]!r}")
        identity = desk.provider.redeem(
            answer.code,
            redirect_uri=redirect_uri(self._redirect_uri, attempt.callback),
            code_verifier=attempt.code_verifier,
            nonce=attempt.nonce,
            demands=Demands(
                prompt=attempt.prompt,
                max_age=attempt.max_age,
                acr_values=attempt.acr_values,
                not_before=attempt.not_before,
            ),
        )
        person = self._person(name, desk, identity)
        signed_in = replace(
            _signed_in(person, identity, now=self._clock.now()), issued_at=_issued_at(identity)
        )
        begun = self._beginner.begin(
            signed_in,
            identity.tokens,
            browser=attempt.browser,
            previous=attempt.previous,
            since=attempt.since,
        )
        return Established(token=begun.token, session=begun.session)

    def _from_transaction(self, wish: Wish, browser: str) -> Wish:
        known = self._transactions.usable(wish.transaction or "", browser=browser)
        return replace(
            wish, return_url=known.return_url, provider=known.provider, surface=known.surface
        )

    def _desk(self, name: str | None) -> tuple[str, ProviderDesk]:
        name = name or next(iter(self._desks))
        desk = self._desks.get(name)
        if desk is None:
            raise ProviderUnknownError("no provider of that name")
        return name, desk

    def _person(self, name: str, desk: ProviderDesk, identity: VerifiedIdentity) -> Person:
        subject = identity.claims["sub"]
        return Person(
            provider=name,
            subject=subject,
            pairwise=self._subjects.subject(sector=SECTOR, issuer=desk.issuer, subject=subject),
            claims=mapped_claims(
                identity.claims,
                desk.claim_names,
                unverified_email=desk.assume_email_verified,
            ),
        )

    def _current_key(self, wish: Wish) -> SessionKey | None:
        """Return which session this browser has now.

        Known at the start only: a Strict cookie does not come along when the provider sends the
        browser back, for that navigation begins on another site.
        """
        try:
            session = self._book.find(wish.current)
        except UnreadableRecordError:
            # Nobody can tell whose it is. Signing in again is the way out of it.
            return None
        return None if session is None else session.key


def _signed_in(person: Person, identity: VerifiedIdentity, *, now: datetime) -> SignedIn:
    claims = identity.claims
    return SignedIn(
        person=person,
        provider_sid=_text(claims.get("sid")),
        auth_time=_past(_moment(claims.get("auth_time")), now=now),
        acr=_text(claims.get("acr")),
    )


def _issued_at(identity: VerifiedIdentity) -> datetime | None:
    """Return when the provider signed the ID token, by its own clock."""
    issued = identity.claims.get("iat")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        return None
    try:
        return datetime.fromtimestamp(issued, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _moment(value: Any) -> datetime | None:
    """Return a time in seconds since 1970; None for whatever is none, milliseconds included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime.fromtimestamp(value, UTC) if 0 <= value <= LAST_SECOND else None


def _past(moment: datetime | None, *, now: datetime) -> datetime | None:
    """Return when somebody signed in; clocks may differ, but by no more than AHEAD.

    A moment further ahead would count as recent until it has passed, and for longer.
    """
    if moment is None or moment > now + AHEAD:
        return None
    return min(moment, now)
