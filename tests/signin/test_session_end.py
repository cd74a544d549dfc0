"""One service ends a session, whatever the reason: all of it, once, whichever step fails."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from ending_rig import LOGOUT, PAGE, EndingRig
from signin_rig import IDLE, Mood
from ways_to_end import EVERY_END, by_provider, by_user

from bff.errors import LogoutTokenError, StoreDownError, UnreadableRecordError
from bff.ports import LogoutNotice
from bff.records.audit_events import Action, ActorKind
from bff.signin.records import EndedBy, EndReason
from bff.signin.session_end import JOB_LIFE, RETURN_LIFE, EndStep
from bff.signin.sign_out import REVOCATIONS

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("how", EVERY_END)
def test_nothing_is_left_of_a_session_whatever_the_reason(ending: EndingRig, how: str) -> None:
    process = ending.process()
    signed = ending.sign_in(process)

    EVERY_END[how](ending, process, signed)

    assert process.book.find(signed.token) is None
    assert process.vault.take(signed.key) is None
    ending.settle()
    assert ending.leftovers(signed) == {}


@pytest.mark.parametrize("lost", ["request", "answer"])
@pytest.mark.parametrize("how", ["user", "operator", "client", "provider", "another"])
def test_the_same_call_again_finishes_what_a_lost_connection_cut_short(
    ending: EndingRig, how: str, lost: str
) -> None:
    """One call to the store fails, whichever it is. Whoever asks again gets all of it."""
    at, fault = 0, True
    while fault:
        at += 1
        process = ending.process()
        signed = ending.sign_in(process, browser=f"browser {at}")
        with ending.store.failing(at, lost=lost):
            first = _tried(lambda p=process, s=signed: EVERY_END[how](ending, p, s))  # type: ignore[misc]
            fault = ending.store.calls >= at
        if first is None:
            _tried(lambda p=process, s=signed: EVERY_END[how](ending, p, s))  # type: ignore[misc]

        assert process.book.find(signed.token) is None, at
        ending.settle()
        assert ending.leftovers(signed) == {}, at
    assert at > 15


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_sign_out_that_is_asked_for_again_still_says_where_the_provider_is(
    ending: EndingRig, lost: str
) -> None:
    at, fault = 0, True
    while fault:
        at += 1
        process = ending.process()
        signed = ending.sign_in(process, browser=f"browser {at}")
        wanted = f"{LOGOUT}?id_token_hint={signed.tokens.id_token}"
        with ending.store.failing(at, lost=lost):
            answer = _tried(lambda p=process, s=signed: by_user(ending, p, s))  # type: ignore[misc]
            fault = ending.store.calls >= at

        # By another process, as behind a load balancer; and once more, if that got lost too.
        other = ending.process(ending.store.real)
        again = [other.sign_out.here(signed.token, return_url=PAGE) for _ in range(2)]

        assert answer in {None, wanted}, at
        assert again == [wanted] * 2, at


@pytest.mark.parametrize("how", EVERY_END)
def test_a_process_that_dies_at_any_call_leaves_a_whole_session_or_none(
    ending: EndingRig, how: str
) -> None:
    """Nobody asks again: a round of another process finds the job, or nothing was torn down."""
    at, dying = 0, True
    while dying:
        at += 1
        process = ending.process()
        signed = ending.sign_in(process, browser=f"browser {at}")
        with ending.store.failing_from(at):
            _tried(lambda p=process, s=signed: EVERY_END[how](ending, p, s))  # type: ignore[misc]
            dying = ending.store.calls >= at
        del process
        ending.provider.mood = Mood.WELL

        ending.settle()
        if ending.whole(signed):
            ending.process(ending.store.real).sign_out.revoke(signed.key)
            ending.settle()
        assert ending.leftovers(signed) == {}, at


@pytest.mark.parametrize("how", ["user", "operator", "provider", "another"])
def test_first_nobody_can_use_it_and_then_it_is_taken_apart(ending: EndingRig, how: str) -> None:
    """At no moment is there a session without its tokens, or a provider told of one that lives."""
    process, looking = ending.process(), ending.process(ending.store.real)
    signed = ending.sign_in(process)
    seen: list[tuple[bool, bool, bool]] = []

    def look(_number: int, _name: str) -> None:
        entry = looking.vault._drawer.get(signed.key)
        usable = entry is not None and not entry.record.closed
        told = signed.tokens.refresh_token in ending.provider.revoked
        seen.append((looking.book.find(signed.token) is not None, usable, told))

    ending.store.after = look
    EVERY_END[how](ending, process, signed)

    assert (seen[0], seen[-1][:2]) == ((True, True, False), (False, False))
    assert not {(True, False, False), (True, True, True), (True, False, True)} & set(seen)
    assert (False, True, True) not in seen


def test_whoever_may_not_publish_can_sign_out_all_the_same(ending: EndingRig) -> None:
    """A Redis user without rights on channels: pages are not told, everything else is done."""
    process = ending.process()
    signed = ending.sign_in(process)

    with ending.store.failing_at_each("publish"):
        url = process.sign_out.here(signed.token, return_url=PAGE)
        ending.process().ends.finish()

    assert url == f"{LOGOUT}?id_token_hint={signed.tokens.id_token}"
    ending.settle()
    assert ending.leftovers(signed) == {}


def test_a_provider_that_is_down_is_told_later_and_genesys_too(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    ending.provider.mood, ending.genesys.silent = Mood.DOWN, True

    process.sign_out.here(signed.token, return_url=PAGE)
    ending.settle()
    waiting = set(ending.leftovers(signed))
    ending.provider.mood, ending.genesys.silent = Mood.WELL, False
    ending.settle()

    assert waiting == {"revocation", "line", "alive at the provider", "alive at Genesys"}
    assert ending.leftovers(signed) == {}


def test_what_was_put_off_is_told_by_a_round_that_is_woken_and_waits_for_no_lease(
    ending: EndingRig,
) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    process.rounds.once()

    by_provider(ending, process, signed)
    before, woken = list(ending.provider.revoked), process.rounds.wake.is_set()
    process.rounds.once()

    assert (before, woken) == ([], True)
    assert ending.provider.revoked == [signed.tokens.refresh_token]
    assert ending.store.real.members(REVOCATIONS) == []


def test_many_sessions_of_a_silent_provider_cost_one_question(ending: EndingRig) -> None:
    process = ending.process()
    everybody = [ending.sign_in(process, f"person {n}", browser=f"b{n}") for n in range(5)]
    ending.provider.mood = Mood.DOWN
    asked: list[object] = []
    revoke = ending.provider.revoke

    def counted(tokens: object) -> None:
        asked.append(tokens)
        revoke(tokens)  # type: ignore[arg-type]

    ending.provider.revoke = counted  # type: ignore[method-assign]
    ended = process.sign_out.revoke_all(signed.key for signed in everybody)

    assert (ended, len(asked)) == (5, 1)
    assert len(ending.store.real.members(REVOCATIONS)) == 5


@pytest.mark.parametrize(
    ("how", "action", "actor", "told"),
    [
        ("user", Action.SIGNED_OUT, ActorKind.PERSON, EndedBy.USER),
        ("client", Action.SIGNED_OUT, ActorKind.PERSON, EndedBy.CLIENT),
        ("operator", Action.SESSION_REVOKED, ActorKind.OPERATOR, EndedBy.OPERATOR),
        ("provider", Action.SESSION_REVOKED, ActorKind.SYSTEM, EndedBy.PROVIDER),
        ("refusal", Action.SESSION_REVOKED, ActorKind.SYSTEM, EndedBy.RENEWAL_REFUSED),
        ("another", Action.SESSION_REVOKED, ActorKind.SYSTEM, EndedBy.OTHER_USER),
        ("time", Action.SESSION_EXPIRED, ActorKind.SYSTEM, EndedBy.EXPIRY),
    ],
)
def test_the_audit_log_says_who_ended_it_and_whose_it_was(
    ending: EndingRig, how: str, action: Action, actor: ActorKind, told: EndedBy
) -> None:
    process = ending.process()
    signed = ending.sign_in(process)

    EVERY_END[how](ending, process, signed)

    (event,) = ending.trail.of(signed.session)
    assert (event.action, event.actor.kind) == (action, actor)
    assert (event.details["by"], event.details["reason"]) == (told.value, told.reason.value)
    named = event.actor.name if actor is ActorKind.PERSON else event.details["person"]
    assert named == "pairwise of amira"


def test_the_first_who_ends_it_is_named_and_the_second_finds_nothing(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)

    assert process.sign_out.revoke(signed.key)
    assert not process.sign_out.revoke(signed.key)
    assert process.sign_out.here(signed.token, return_url=PAGE) is None

    (event,) = ending.trail.of(signed.session)
    assert event.details["by"] == "operator"


def test_two_that_end_it_at_any_moment_of_each_other_end_it_once(ending: EndingRig) -> None:
    """The operator comes between any two calls of the user's sign-out."""
    at, interrupted = 0, True
    while interrupted:
        at += 1
        process, other = ending.process(), ending.process(ending.store.real)
        signed = ending.sign_in(process, browser=f"browser {at}")
        with ending.store.interrupted(at, lambda o=other, s=signed: o.sign_out.revoke(s.key)):  # type: ignore[misc]
            process.sign_out.here(signed.token, return_url=PAGE)
            interrupted = ending.store.calls >= at

        ending.settle()
        assert ending.leftovers(signed) == {}, at


def test_a_finished_job_holds_the_hint_for_some_minutes_and_nobodys_data(
    ending: EndingRig,
) -> None:
    process = ending.process()
    signed = ending.sign_in(process)

    process.sign_out.here(signed.token, return_url=PAGE)
    job = process.ends.ended(signed.key)

    assert job is not None
    assert job.finished
    assert (job.session, job.tokens, job.id_token) == (None, None, signed.tokens.id_token)
    assert set(job.done) == set(EndStep)
    assert RETURN_LIFE < JOB_LIFE


def test_a_session_that_ran_out_is_no_sign_out_however_late_somebody_clicks(
    ending: EndingRig,
) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    ending.clock.advance(IDLE + SECOND)

    assert process.sign_out.here(signed.token, return_url=PAGE) is None

    (event,) = ending.trail.of(signed.session)
    assert event.action is Action.SESSION_EXPIRED
    ending.settle()
    assert ending.leftovers(signed) == {}


@pytest.mark.parametrize("by", EndedBy)
def test_every_reason_has_a_word_for_the_pages(by: EndedBy) -> None:
    assert by.reason in EndReason


def test_tokens_without_a_session_are_revoked_as_well(ending: EndingRig) -> None:
    """A sign-in was cut short before anybody could find its session."""
    process = ending.process()
    signed = ending.sign_in(process)
    ending.store.real.delete(f"session:{signed.key}")
    ending.clock.advance(IDLE + timedelta(minutes=2))

    process.sweep.once()
    ending.settle()

    assert set(ending.leftovers(signed)) <= {"events", "listed"}


def test_a_failover_that_brings_a_session_back_does_not_keep_it(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    store = ending.store.real
    before = {name: store.get(f"{name}:{signed.key}") for name in ("session", "vault")}
    process.sign_out.revoke(signed.key)
    for name, entry in before.items():
        assert entry is not None
        store.put(f"{name}:{signed.key}", entry.value, ttl=IDLE)

    assert process.sign_out.revoke(signed.key)

    assert process.book.find(signed.token) is None
    ending.settle()
    assert ending.leftovers(signed) == {}


def test_a_job_that_does_not_open_keeps_nobody_signed_in(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    ending.store.real.put(f"session-end:{signed.key}", b"of another key", ttl=JOB_LIFE)

    process.sign_out.here(signed.token, return_url=PAGE)

    ending.settle()
    assert ending.leftovers(signed) == {}


def test_tokens_that_cannot_be_read_now_are_revoked_when_they_can(ending: EndingRig) -> None:
    """A newer version wrote them, or their key is away: that is not the same as no tokens."""
    process = ending.process()
    signed = ending.sign_in(process)
    name = f"vault:{signed.key}"
    entry = ending.store.real.get(name)
    assert entry is not None
    ending.store.real.put(name, b"\x01 of a newer version", ttl=JOB_LIFE)

    process.sign_out.here(signed.token, return_url=PAGE)
    ending.settle()

    assert process.book.find(signed.token) is None
    assert signed.jwt in ending.genesys.revoked
    assert len(ending.trail.of(signed.session)) == 1
    kept = ending.store.real.get(name)
    assert kept is not None
    assert kept.value == b"\x01 of a newer version"

    ending.store.real.put(name, entry.value, ttl=JOB_LIFE)
    ending.settle()
    assert ending.leftovers(signed) == {}


@pytest.mark.parametrize("sid", [None, "sid of amira"])
def test_a_device_that_cannot_be_read_hides_no_other_from_a_logout(
    ending: EndingRig, sid: str | None
) -> None:
    process = ending.process()
    devices = [ending.sign_in(process, browser=f"device {place}") for place in range(3)]
    name = f"session:{devices[1].key}"
    entry = ending.store.real.get(name)
    assert entry is not None
    ending.store.real.put(name, b"\x01 of a newer version", ttl=JOB_LIFE)
    notice = LogoutNotice(subject="amira", sid=sid, jti="one", issued_at=ending.clock.now())

    with pytest.raises(UnreadableRecordError):
        process.sign_out.by_provider("main", notice)

    assert [process.book.find(devices[place].token) for place in (0, 2)] == [None, None]
    ending.store.real.put(name, entry.value, ttl=JOB_LIFE)
    assert process.sign_out.by_provider("main", notice) == 1, "it is sent again"
    ending.settle()
    assert [ending.leftovers(device) for device in devices] == [{}] * 3


def test_everyone_are_also_those_that_cannot_be_read(ending: EndingRig) -> None:
    process = ending.process()
    plain, strange = (ending.sign_in(process, browser=name) for name in ("one", "another"))
    name = f"session:{strange.key}"
    ending.store.real.put(name, b"\x01 of a newer version", ttl=JOB_LIFE)

    assert process.sign_out.revoke_all(process.book.keys()) == 2

    assert ending.store.real.get(name) is None
    ending.settle()
    assert ending.leftovers(plain) == {}
    assert strange.tokens.refresh_token in ending.provider.revoked


@pytest.mark.parametrize("how", EVERY_END)
def test_an_event_that_a_dead_process_had_in_memory_is_written_all_the_same(
    ending: EndingRig, how: str
) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    ending.trail.full = True
    EVERY_END[how](ending, process, signed)
    ending.settle()
    assert ending.trail.of(signed.session) == []

    ending.trail.full = False
    ending.settle()

    assert ending.leftovers(signed) == {}


def _tried(work: Callable[[], object]) -> object:
    """Return what it gives; None if the store failed it."""
    try:
        return work() or True
    except StoreDownError:
        return None
    except LogoutTokenError:
        # A second delivery, and only the answer to the very last call of the first was lost.
        return True
