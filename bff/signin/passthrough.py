"""Passthrough: the provider's own codes for Genesys, fetched in the browser, not redeemed here."""

import hmac
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from bff.crypto.sealed_drawer import Drawer
from bff.errors import (
    AttemptUnknownError,
    BffError,
    InteractionNeededError,
    ProviderAnswerError,
    ProviderUnknownError,
    RateLimitedError,
    SignInDeniedError,
    SignInRequiredError,
    TransactionUnknownError,
)
from bff.flow_ports import NO_WATCH, FlowStep, FlowWatch, code_mark
from bff.ports import Demands, Foundation
from bff.signin.fingerprints import hashed
from bff.signin.passthrough_records import (
    Errand,
    FrontChannel,
    GenesysAtProvider,
    Hint,
    PassthroughPlan,
    WaitingCode,
)
from bff.signin.records import Attempt, BrowserSession, SessionKey, Surface
from bff.signin.redirect_uris import callback_of, redirect_uri
from bff.signin.session_book import SessionBook
from bff.signin.sign_in import ATTEMPT_LIFE, Answer, Wish
from bff.signin.token_vault import TokenVault
from bff.signin.transactions import Opening, Transactions

log = logging.getLogger(__name__)

SILENT_LIFE: Final = timedelta(seconds=30)
REFUSAL_LIFE: Final = timedelta(seconds=30)
"""After the provider has asked for a person, no frame tries again for this long."""

LEAST_LEFT: Final = timedelta(seconds=5)
"""A code with less to live would die on its way to Genesys and back to the provider."""

JUST_CAME: Final = timedelta(seconds=15)
SILENT_ROUNDS: Final = 20
WINDOW: Final = timedelta(minutes=1)

NEEDS_PERSON: Final = frozenset(
    {
        "login_required",
        "interaction_required",
        "consent_required",
        "account_selection_required",
    }
)
"""OIDC Core 3.1.2.6: what `prompt=none` is refused with where somebody must look."""

FOR_GENESYS: Final = frozenset({"interaction_required", "consent_required"})
"""Those of them that Genesys' client alone may meet: a sign-in of ours does not help."""


class Passthrough:
    """Sends browsers to their provider in Genesys' name, and hands the codes on, once each.

    The first code is fetched by the window that signs somebody in, the next ones by a hidden
    frame. What is handed out was never redeemed and is kept by nobody.
    """

    def __init__(
        self,
        foundation: Foundation,
        *,
        plan: PassthroughPlan,
        book: SessionBook,
        vault: TokenVault,
        transactions: Transactions,
        watch: FlowWatch = NO_WATCH,
    ) -> None:
        self._errands = Drawer("errand", Errand, foundation)
        self._codes = Drawer("provider-code", WaitingCode, foundation)
        self._plan = plan
        self._book = book
        self._vault = vault
        self._transactions = transactions
        self._watch = watch
        self._store = foundation.store
        self._clock = foundation.clock

    def chain(self, attempt: Attempt, session: BrowserSession) -> str:
        """Return where the window that has just signed somebody in goes for the first code.

        Raises IdentityProviderDownError, ProviderAnswerError; the person is signed in all the same.
        """
        errand = Errand(
            provider=session.person.provider,
            session=session.key,
            browser=attempt.browser,
            return_url=attempt.return_url,
            surface=attempt.surface,
            transaction=attempt.transaction,
            prompt="none",
            second_try=attempt.second_try,
        )
        return self._sent(errand, session)

    def waiting(self, session: BrowserSession) -> WaitingCode | None:
        """Return the code that came with the sign-in of this session, once."""
        return self._good(session, self._codes.take(session.key))

    def drop(self, session: BrowserSession) -> None:
        """Throw away a code that waits, unless the sign-in that brought it was a moment ago.

        Whoever asks to drop has signed in again first, and that has brought a fresh one.
        """
        held = self._codes.get(session.key)
        if held is not None and self._clock.now() - held.record.came_at >= JUST_CAME:
            self._codes.delete(session.key)

    def forget(self, session_key: str) -> None:
        """Throw away the code that waits for a session which has ended."""
        self._codes.delete(session_key)

    def open_channel(self, session: BrowserSession, *, browser: str) -> FrontChannel:
        """Prepare a visit of a hidden frame to the provider.

        Raises InteractionNeededError while the provider's last word was that it wants a person,
        and RateLimitedError for a page that asks without end.
        """
        if self._store.get(_refusal(session.key)) is not None:
            raise InteractionNeededError("the provider asked for a person a moment ago")
        count = self._store.count(f"silent-rounds:{session.key}", window=WINDOW)
        if count.value > SILENT_ROUNDS:
            raise RateLimitedError("silent codes of one session", retry_after=count.resets_in)
        opening = Opening(
            provider=session.person.provider,
            return_url="",
            surface=Surface.REDIRECT,
            life=SILENT_LIFE,
            session=session.key,
        )
        key = self._transactions.open(opening, browser=browser)
        url = f"{self._plan.visit_url}?{urlencode({'transaction': key})}"
        return FrontChannel(key=key, url=url, life=SILENT_LIFE)

    def visit(self, key: str, *, browser: str | None) -> str:
        """Return where the hidden frame goes, for its one visit.

        Raises TransactionUnknownError, SignInRequiredError, IdentityProviderDownError,
        ProviderAnswerError.
        """
        known = self._transactions.begin_silently(key, browser=browser)
        errand = Errand(
            provider=known.provider,
            session=known.session or SessionKey(""),
            browser=known.browser,
            return_url="",
            surface=known.surface,
            transaction=key,
            silent=True,
            prompt="none",
        )
        try:
            return self._sent(errand, self._living(errand))
        except BffError as error:
            self._transactions.settle(key, code=error.code)
            raise

    def claim(self, unverified_state: str | None, *, browser: str | None) -> Errand:
        """Return the errand that `state` names, once, if this browser is on it.

        Raises AttemptUnknownError: a stranger's answer here would hand Genesys a stranger.
        """
        errand = self._errands.take(hashed(unverified_state)) if unverified_state else None
        if errand is None:
            raise AttemptUnknownError("state is unknown, used or too old")
        if browser is None:
            if errand.silent:
                # Some browsers keep our own cookie back as well once a frame has been elsewhere.
                # Nothing is believed of such an answer, but the page need not wait for it.
                self.fail(errand, InteractionNeededError())
            raise AttemptUnknownError("state came without this browser's cookie")
        if not hmac.compare_digest(errand.browser, hashed(browser)):
            raise AttemptUnknownError("state belongs to another browser")
        return errand

    def finish(self, errand: Errand, answer: Answer) -> str | Wish | None:
        """Keep the code for its page; or return where the window must go once more.

        A provider that does not give a code without a look at the person gets that look, once,
        if a person is there: see `_looked_at`. Raises IssuerMixUpError, SignInDeniedError,
        SignInRequiredError, InteractionNeededError, IdentityProviderDownError or
        ProviderAnswerError.
        """
        client = self._client(errand.provider)
        answer.check_callback(errand.callback)
        client.provider.check_response_issuer(answer.iss)
        if answer.error in NEEDS_PERSON and not errand.silent and errand.prompt == "none":
            return self._looked_at(errand, answer.error, client)
        if answer.error is not None or not answer.code:
            raise _refused(errand, answer.error)
        self._keep(errand, answer, client)
        return None

    def _looked_at(self, errand: Errand, error: str, client: GenesysAtProvider) -> str | Wish:
        """Return where somebody may be looked at: an URL, or a sign-in of ours.

        At a form in Genesys' name anybody could sign in, and nobody here would learn who: the
        code is not ours to redeem. So a form is opened in its name only for what a sign-in of
        ours cannot settle, and only where the provider must refuse everybody else. Else the
        person signs in with us, is verified, and Genesys' code is asked for silently once more.
        """
        session = self._living(errand)
        demands = self._demands(client, session, prompt=client.prompt)
        asks = client.prompt != "none"
        if asks and error in FOR_GENESYS and client.provider.binds_subject(demands):
            return self._sent(replace(errand, prompt=client.prompt), session)
        if errand.second_try:
            raise _refused(errand, error)
        return Wish(
            return_url=errand.return_url,
            surface=errand.surface,
            provider=errand.provider,
            transaction=errand.transaction,
            previous=errand.session,
            second_try=True,
        )

    def fail(self, errand: Errand, error: BffError) -> None:
        """Tell the page that waits; after a refusal no frame of this session tries for a while."""
        self._transactions.settle(errand.transaction, code=error.code)
        if isinstance(error, InteractionNeededError):
            self._store.put(_refusal(errand.session), b"1", ttl=REFUSAL_LIFE)

    def fetched(self, session: BrowserSession, key: str, *, browser: str | None) -> WaitingCode:
        """Return the code that a hidden frame of this session has fetched, once.

        Raises TransactionUnknownError for a stranger's, InteractionNeededError if there is none.
        """
        known = self._transactions.look(key, browser=browser)
        if known.session is None or not hmac.compare_digest(known.session, session.key):
            raise TransactionUnknownError("transaction of another session")
        code = self._good(session, self._codes.take(_name(session.key, key)))
        if code is None:
            raise InteractionNeededError(f"no code: {known.status.value}, {known.code}")
        return code

    def _keep(self, errand: Errand, answer: Answer, client: GenesysAtProvider) -> None:
        session = self._living(errand)
        now = self._clock.now()
        max_age = client.max_age
        code = WaitingCode(
            auth_code=answer.code or "",
            redirect_uri=redirect_uri(self._plan.redirect_uri, errand.callback),
            code_verifier=errand.code_verifier,
            nonce=errand.nonce,
            iss=answer.iss,
            max_age=None if max_age is None else int(max_age.total_seconds()),
            came_at=now,
            ends_at=now + self._plan.code_life,
        )
        own = errand.transaction if errand.silent else None
        self._codes.put(_name(session.key, own), code, ttl=self._plan.code_life)
        self._watch.note(
            FlowStep.CODE_MINTED,
            session_key=session.key,
            code=code_mark(code.auth_code),
            facts={"passthrough": True, "silent": errand.silent},
        )
        # The browser has had its cookie since before it left for this code.
        self._transactions.settle(errand.transaction, code=None)

    def _sent(self, errand: Errand, session: BrowserSession) -> str:
        client = self._client(errand.provider)
        callback = callback_of(errand.provider, self._plan.clients)
        request = client.provider.authorization_request(
            redirect_uri=redirect_uri(self._plan.redirect_uri, callback),
            demands=self._demands(client, session, prompt=errand.prompt),
        )
        kept = replace(
            errand,
            nonce=request.nonce,
            code_verifier=request.code_verifier,
            callback=callback,
        )
        life = SILENT_LIFE if errand.silent else ATTEMPT_LIFE
        self._errands.put(hashed(request.state), kept, ttl=life)
        return request.url

    def _demands(
        self, client: GenesysAtProvider, session: BrowserSession, *, prompt: str | None
    ) -> Demands:
        """Return what is asked for, and the person whose code it must be."""
        demands = Demands(prompt=prompt, max_age=client.max_age, acr_values=client.acr_values)
        person = session.person
        named = replace(demands, login_hint=person.claims.get("email"))
        match client.hint:
            case Hint.AUTO:
                return replace(named, subject=person.subject, subject_if_public=True)
            case Hint.LOGIN_HINT:
                return named
            case Hint.SUBJECT:
                return replace(demands, subject=person.subject)
            case Hint.ID_TOKEN:
                return replace(demands, id_token_hint=self._vault.live_tokens(session).id_token)
            case Hint.NONE:
                return demands

    def _client(self, name: str) -> GenesysAtProvider:
        client = self._plan.clients.get(name)
        if client is None:
            raise ProviderUnknownError("the provider of this session is no longer configured")
        return client

    def _living(self, errand: Errand) -> BrowserSession:
        session = self._book.look_up(errand.session)
        if session is None:
            raise SignInRequiredError("the session behind this errand has ended")
        return session

    def _good(self, session: BrowserSession, code: WaitingCode | None) -> WaitingCode | None:
        """Return the code if the way to Genesys and back is worth it."""
        if code is None:
            return None
        least = min(LEAST_LEFT, self._plan.code_life / 2)
        if code.ends_at - self._clock.now() < least:
            log.info("session %s: a code has waited too long", session.key[:8])
            return None
        return code


def _refused(errand: Errand, error: str | None) -> BffError:
    said = f"provider error: {(error or 'no code')[:64]!r}"
    if error in NEEDS_PERSON:
        return InteractionNeededError(said)
    return ProviderAnswerError(said) if errand.silent else SignInDeniedError(said)


def _name(session: SessionKey, transaction: str | None) -> str:
    """Return where a code waits: a frame's own is not taken by another tab."""
    return session if transaction is None else f"{session}.{transaction}"


def _refusal(session: SessionKey) -> str:
    return f"silent-refused:{session}"
