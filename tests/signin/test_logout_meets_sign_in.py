"""A back-channel logout that comes at any moment of a sign-in: never is somebody half signed in."""

from datetime import timedelta

import pytest
from ending_rig import EndingRig, Process, signed
from signin_rig import NAME

from bff.errors import SignInDeniedError
from bff.ports import LogoutNotice, TokenSet
from bff.signin.logout_marks import MARK_LIFE, _name
from bff.signin.records import BrowserSession, SessionToken
from bff.signin.sign_out import REVOCATIONS

SECOND = timedelta(seconds=1)
SID = "sid of amira"

Named = tuple[str | None, str | None]
"""What a notice names: subject and sid."""

MEANT: list[Named] = [("amira", None), ("amira", SID), (None, SID)]
NOT_MEANT: list[Named] = [
    ("zoe", None),
    ("zoe", SID),
    ("amira", "another sid"),
    (None, "another sid"),
]


def notice(rig: EndingRig, named: Named, *, after: timedelta = SECOND) -> LogoutNotice:
    subject, sid = named
    return LogoutNotice(
        subject=subject, sid=sid, jti=f"{next(rig.numbers)}", issued_at=rig.clock.now() + after
    )


class OneSignIn:
    """A sign-in whose ID token is of now, and what became of it."""

    def __init__(self, rig: EndingRig, process: Process) -> None:
        rig.clock.advance(timedelta(minutes=1))
        self._rig = rig
        self._process = process
        self._since = process.beginner.moment()
        self.tokens: TokenSet = rig.provider.sign_on()
        self._issued_at = rig.clock.now()
        self.token: SessionToken | None = None
        self.session: BrowserSession | None = None
        self.denied = False

    def begin(self) -> None:
        who = signed("amira", sid=SID, issued_at=self._issued_at)
        browser = f"browser {next(self._rig.numbers)}"
        try:
            begun = self._process.beginner.begin(
                who, self.tokens, browser=browser, previous=None, since=self._since
            )
        except SignInDeniedError:
            self.denied = True
            return
        self.token, self.session = begun.token, begun.session

    def lives(self) -> bool:
        return self._process.book.find(self.token) is not None

    def nothing_is_left(self) -> bool:
        store = self._rig.store.real
        self._rig.settle()
        names = store.members("sessions") + store.members(REVOCATIONS)
        if self.session is not None:
            names += [n for n in ("session", "vault") if store.get(f"{n}:{self.session.key}")]
        return not names and self.tokens.refresh_token in self._rig.provider.revoked


@pytest.mark.parametrize("after", [timedelta(0), SECOND])
@pytest.mark.parametrize("named", MEANT)
def test_a_logout_between_any_two_steps_of_a_sign_in_wins(
    ending: EndingRig, named: Named, after: timedelta
) -> None:
    at, came = 0, True
    while came:
        at += 1
        process, other = ending.process(), ending.process(ending.store.real)
        sign_in = OneSignIn(ending, process)
        told = notice(ending, named, after=after)
        with ending.store.interrupted(
            at,
            lambda o=other, t=told: o.sign_out.by_provider(NAME, t),  # type: ignore[misc]
        ):
            sign_in.begin()
            came = ending.store.calls >= at
        if not came:
            # It came when all was done.
            other.sign_out.by_provider(NAME, told)

        assert not sign_in.lives(), at
        assert sign_in.nothing_is_left(), at
        # Marks of this round must not help the next one.
        ending.clock.advance(MARK_LIFE)
        _forget_marks(ending, named)
    assert at > 10


@pytest.mark.parametrize("after", [timedelta(0), SECOND])
@pytest.mark.parametrize("named", MEANT)
def test_a_sign_in_between_any_two_steps_of_a_logout_is_ended_or_refused(
    ending: EndingRig, named: Named, after: timedelta
) -> None:
    at, came = 0, True
    while came:
        at += 1
        process, other = ending.process(ending.store.real), ending.process()
        sign_in = OneSignIn(ending, process)
        told = notice(ending, named, after=after)
        with ending.store.interrupted(at, sign_in.begin):
            other.sign_out.by_provider(NAME, told)
            came = ending.store.calls >= at
        if not came:
            sign_in.begin()
            assert sign_in.denied

        assert not sign_in.lives(), at
        assert sign_in.nothing_is_left(), at
        ending.clock.advance(MARK_LIFE)
        _forget_marks(ending, named)
    assert at > 3


@pytest.mark.parametrize("named", NOT_MEANT)
def test_a_logout_of_somebody_else_ends_nothing(ending: EndingRig, named: Named) -> None:
    process = ending.process()
    before = OneSignIn(ending, process)
    told = notice(ending, named)
    process.sign_out.by_provider(NAME, told)

    before.begin()

    assert before.lives()


def test_a_logout_at_another_provider_ends_nothing(ending: EndingRig) -> None:
    process = ending.process()
    before = OneSignIn(ending, process)
    process.sign_out.by_provider("other", notice(ending, ("amira", SID)))
    process.sign_out.by_provider("other", notice(ending, ("amira", None)))

    before.begin()

    assert before.lives()


@pytest.mark.parametrize("same_second", [False, True])
@pytest.mark.parametrize("named", MEANT)
def test_the_next_sign_in_of_the_same_person_is_not_ended(
    ending: EndingRig, named: Named, same_second: bool
) -> None:
    """The mark is there when they sign in again, be it within the second of its notice."""
    process = ending.process()
    told = notice(ending, named, after=timedelta(0))
    process.sign_out.by_provider(NAME, told)

    ending.clock.advance(-timedelta(minutes=1) if same_second else timedelta(0))
    later = OneSignIn(ending, process)
    later.begin()

    assert later.lives()


def test_an_older_notice_that_comes_late_takes_no_newer_mark_away(ending: EndingRig) -> None:
    process = ending.process()
    sign_in = OneSignIn(ending, process)
    process.sign_out.by_provider(NAME, notice(ending, ("amira", None)))
    process.sign_out.by_provider(NAME, notice(ending, ("amira", None), after=timedelta(minutes=-2)))

    sign_in.begin()

    assert sign_in.denied


def test_a_slow_redemption_is_as_old_as_its_id_token(ending: EndingRig) -> None:
    """It is written after the logout, by our clock; the provider signed it before."""
    process = ending.process()
    sign_in = OneSignIn(ending, process)
    told = notice(ending, ("amira", None))
    ending.clock.advance(timedelta(seconds=30))
    sign_in.begin()
    assert sign_in.lives()

    assert process.sign_out.by_provider(NAME, told) == 1

    assert not sign_in.lives()


def test_what_was_denied_holds_no_place_and_ends_nobody(ending: EndingRig) -> None:
    """The session that this browser had goes on: nobody is signed out by a failed sign-in."""
    process = ending.process()
    earlier = ending.sign_in(process, "zoe", browser="shared")
    sign_in = OneSignIn(ending, process)
    process.sign_out.by_provider(NAME, notice(ending, ("amira", None)))

    with pytest.raises(SignInDeniedError):
        process.beginner.begin(
            signed("amira", sid=SID, issued_at=sign_in._issued_at),
            sign_in.tokens,
            browser="shared",
            previous=earlier.key,
            since=sign_in._since,
        )

    assert process.book.find(earlier.token) is not None


def _forget_marks(rig: EndingRig, named: Named) -> None:
    """Take the marks away: on Redis the hand clock lets nothing expire."""
    subject, sid = named
    rig.store.real.delete(f"logout-mark:{_name(NAME, sid, subject)}")


def test_two_notices_of_one_second_with_a_sign_in_between_them(ending: EndingRig) -> None:
    process = ending.process()
    ending.clock.advance(timedelta(minutes=1))
    first = notice(ending, ("amira", None), after=timedelta(0))
    second = notice(ending, ("amira", None), after=timedelta(0))
    process.sign_out.by_provider(NAME, first)
    ending.clock.advance(-timedelta(minutes=1))
    sign_in = OneSignIn(ending, process)

    process.sign_out.by_provider(NAME, second)
    sign_in.begin()

    assert sign_in.denied
