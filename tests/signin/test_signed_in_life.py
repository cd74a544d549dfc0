"""Any life of any number of sessions, in any order: what must hold after every step."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from signin_rig import Mood, SignInRig, StillClock, signin_rig

from bff.errors import (
    BffError,
    IdentityProviderDownError,
    LogoutTokenError,
    ProviderAnswerError,
    SignInRequiredError,
)
from bff.ports import LogoutNotice
from bff.signin.records import BrowserSession, SessionToken

PEOPLE = ("amira", "zoe")
MAY_REFUSE = {Mood.REFUSING}
PAGE = "http://www.brand.localhost/"

Signed = tuple[SessionToken, BrowserSession]


class SignedInLife(RuleBasedStateMachine):
    """Signs people in and out, renews, loses answers, lets time pass; knows who must be left."""

    sessions: Bundle[Signed] = Bundle("sessions")

    @initialize()
    def begin(self) -> None:
        self.parts: SignInRig = signin_rig(clock=StillClock())
        self.living: dict[SessionToken, BrowserSession] = {}
        self.ended: dict[SessionToken, BrowserSession] = {}
        self.expired: set[SessionToken] = set()
        # An answer of the provider was lost: the token we hold is spent, it may refuse us.
        self.doomed: set[SessionToken] = set()
        self.notices = 0

    @rule(target=sessions, person=st.sampled_from(PEOPLE), sid=st.integers(0, 3))
    def sign_in(self, person: str, sid: int) -> Signed:
        token, session = self.parts.sign_in(person, sid=f"{person}-{sid}")
        self.living[token] = session
        return token, session

    @rule(mood=st.sampled_from(Mood))
    def provider_becomes(self, mood: Mood) -> None:
        self.parts.provider.mood = mood

    @rule(seconds=st.sampled_from([1, 30, 120, 840, 1200, 7200, 43_000]))
    def time_passes(self, seconds: int) -> None:
        self.parts.clock.advance(timedelta(seconds=seconds))
        now = self.parts.clock.now()
        for token in [token for token in self.living if self.ends(token) <= now]:
            self.expired.add(token)
            self.ended[token] = self.living.pop(token)

    @rule(signed=sessions)
    def use(self, signed: Signed) -> None:
        token, _ = signed
        try:
            session = self.parts.book.require(token)
        except SignInRequiredError:
            assert token in self.ended
            return
        self.living[token] = session
        self.renewed(token, session)

    @rule(signed=sessions)
    def four_use_it_at_once_when_renewal_is_due(self, signed: Signed) -> None:
        token, session = signed
        self.time_passes(1200)
        with ThreadPoolExecutor(max_workers=4) as pool:
            asked = self.held_back(pool, session, 4)
            self.parts.provider.gate.set()
            self.note(token, [one.result(timeout=20) for one in asked])

    @rule(signed=sessions, operator=st.booleans())
    def it_ends_while_it_is_renewed(self, signed: Signed, operator: bool) -> None:
        token, session = signed
        self.time_passes(1200)
        with ThreadPoolExecutor(max_workers=1) as pool:
            (renewal,) = self.held_back(pool, session, 1)
            if operator:
                self.parts.sign_out.revoke(session.key)
            else:
                self.parts.sign_out.here(token, return_url=PAGE)
            self.parts.provider.gate.set()
            self.note(token, [renewal.result(timeout=20)], ended_meanwhile=True)
        self.end(token)

    @rule(signed=sessions)
    def the_provider_refuses(self, signed: Signed) -> None:
        self.parts.provider.mood = Mood.REFUSING
        self.time_passes(1200)
        self.use(signed)

    def renewed(self, token: SessionToken, session: BrowserSession) -> None:
        self.note(token, [self.outcome(session)])

    def held_back(
        self, pool: ThreadPoolExecutor, session: BrowserSession, times: int
    ) -> list["Future[type[BffError] | None]"]:
        """Renew; return when the provider's answer is ready and held back, or nobody asked."""
        provider = self.parts.provider
        provider.arrived.clear()
        provider.gate.clear()
        asked = [pool.submit(self.outcome, session) for _ in range(times)]
        while not all(one.done() for one in asked) and not provider.arrived.wait(0.001):
            pass
        return asked

    def outcome(self, session: BrowserSession) -> type[BffError] | None:
        try:
            self.parts.vault.confirm(session)
        except (SignInRequiredError, IdentityProviderDownError, ProviderAnswerError) as error:
            return type(error)
        return None

    def note(
        self,
        token: SessionToken,
        outcomes: list[type[BffError] | None],
        *,
        ended_meanwhile: bool = False,
    ) -> None:
        mood = self.parts.provider.mood
        if SignInRequiredError in outcomes and token in self.living and not ended_meanwhile:
            # Only a refusal signs somebody out who did not ask for it.
            assert mood in MAY_REFUSE or token in self.doomed
            self.ended[token] = self.living.pop(token)
        if mood is Mood.LOSING:
            self.doomed.add(token)

    @rule(signed=sessions)
    def sign_out(self, signed: Signed) -> None:
        self.parts.sign_out.here(signed[0], return_url=PAGE)
        self.end(signed[0])

    @rule(signed=sessions)
    def operator_revokes(self, signed: Signed) -> None:
        assert self.parts.sign_out.revoke(signed[1].key) is (signed[0] in self.living)
        self.end(signed[0])

    @rule(person=st.sampled_from(PEOPLE), sid=st.none() | st.integers(0, 3), again=st.booleans())
    def provider_signs_out(self, person: str, sid: int | None, again: bool) -> None:
        self.notices += 1
        notice = LogoutNotice(
            subject=person,
            sid=None if sid is None else f"{person}-{sid}",
            jti=f"notice-{self.notices}",
            issued_at=self.parts.clock.now(),
        )
        meant = [
            token
            for token, session in self.living.items()
            if session.person.subject == person
            and (notice.sid is None or session.provider_sid == notice.sid)
        ]
        assert self.parts.sign_out.by_provider("main", notice) == len(meant)
        for token in meant:
            self.end(token)
        if again:
            try:
                self.parts.sign_out.by_provider("main", notice)
            except LogoutTokenError:
                return
            raise AssertionError("a replay was followed")

    @rule()
    def revocations_go_round(self) -> None:
        self.parts.sign_out.retry_revocations()

    @rule(signed=sessions)
    def a_thief_uses_the_old_cookie(self, signed: Signed) -> None:
        if signed[0] in self.ended:
            assert self.parts.book.find(signed[0]) is None
            assert self.outcome(signed[1]) is not None or signed[0] in self.expired

    def end(self, token: SessionToken) -> None:
        if token in self.living:
            self.ended[token] = self.living.pop(token)

    def ends(self, token: SessionToken) -> datetime:
        return self.living[token].ends_at

    @invariant()
    def what_ended_never_comes_back(self) -> None:
        for token, session in getattr(self, "ended", {}).items():
            assert self.parts.book.find(token) is None
            assert self.parts.book.look_up(session.key) is None

    @invariant()
    def nobody_is_signed_out_without_a_reason(self) -> None:
        for token in getattr(self, "living", {}):
            assert self.parts.book.find(token) is not None
        if hasattr(self, "parts"):
            everyone = {session.key for session in self.parts.book.everyone()}
            assert everyone == {session.key for session in self.living.values()}

    @invariant()
    def ended_sessions_have_no_tokens(self) -> None:
        for token, session in getattr(self, "ended", {}).items():
            # What nobody ended lies sealed until its absolute limit; no cookie leads to it.
            assert token in self.expired or not self.parts.holds_tokens(session)

    @invariant()
    def no_refresh_token_is_spent_by_two_at_a_time(self) -> None:
        if hasattr(self, "parts"):
            assert self.parts.provider.at_a_time <= 1
            assert self.doomed or self.parts.provider.spent_twice == 0


TestSignedInLife = SignedInLife.TestCase
TestSignedInLife.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
