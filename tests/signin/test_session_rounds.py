"""The background of sign-outs: at once what can be done at once, and nobody starves behind one."""

import re
import threading
from pathlib import Path
from typing import Final

import ending_rig
import pytest
from ending_rig import PAGE, EndingRig
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from memory_store import MemoryStore
from signin_rig import Mood, StillClock
from ways_to_end import EVERY_END, by_provider

from bff.errors import BffError, StoreDownError
from bff.signin.session_book import SessionBook

ROOT = Path(__file__).parent.parent.parent


def test_what_a_logout_of_the_provider_put_off_is_told_at_once(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    told = threading.Event()
    revoke = ending.provider.revoke

    def revoked(tokens: object) -> None:
        revoke(tokens)  # type: ignore[arg-type]
        told.set()

    ending.provider.revoke = revoked  # type: ignore[method-assign]
    process.rounds.start()
    by_provider(ending, process, signed)

    assert told.wait(10)
    process.rounds.stop()
    ending.settle()
    assert ending.leftovers(signed) == {}


def test_a_thread_that_met_trouble_goes_on(
    ending: EndingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = ending.process()
    trouble: list[Exception] = [ValueError("a fault"), StoreDownError("away")]
    told, tell = threading.Event(), process.ends.revocations.tell_fresh

    def troubled() -> int:
        if trouble:
            raise trouble.pop()
        told.set()
        return tell()

    monkeypatch.setattr(process.ends.revocations, "tell_fresh", troubled)
    process.rounds.start()
    for _ in range(3):
        process.rounds.wake.set()
        threading.Event().wait(0.05)
        process.rounds.wake.set()

    assert told.wait(10)
    process.rounds.stop()


def test_one_job_that_cannot_be_finished_holds_up_no_other(
    ending: EndingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = ending.process()
    crowd = [ending.sign_in(process, f"p{n}", browser=f"b{n}") for n in range(3)]
    for signed in crowd:
        with ending.store.failing_at_each("publish"):
            process.sign_out.revoke(signed.key)
    tell, bad = SessionBook.tell_pages, crowd[0].key

    def broken(book: SessionBook, key: str, *rest: object) -> None:
        if key == bad:
            raise ValueError("a fault of ours")
        tell(book, key, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as fault:
        fault.setattr(SessionBook, "tell_pages", broken)
        finished = process.ends.finish()

    assert finished == 2
    ending.settle()
    assert all(ending.leftovers(signed) == {} for signed in crowd)


Try = tuple[str, int, str]
TRIES = st.tuples(
    st.sampled_from(sorted(set(EVERY_END) - {"another"})),
    st.integers(1, 45),
    st.sampled_from(["request", "answer", "death"]),
)


# Once only may it run out: after a day in which nobody went round, jobs are given up.
MANY: Final = st.lists(TRIES, max_size=6).filter(
    lambda tries: [how for how, *_ in tries].count("time") < 2
)


@settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.generate])
@given(tries=MANY)
def test_however_often_and_by_whomever_an_end_is_cut_short_it_is_complete_in_the_end(
    tries: list[Try],
) -> None:
    clock = StillClock()
    rig = ending_rig.ending_rig(MemoryStore(clock), clock)
    signed = rig.sign_in(rig.process())
    for how, at, fault in tries:
        rig.provider.mood = Mood.WELL
        hand = rig.store.failing_from(at) if fault == "death" else rig.store.failing(at, lost=fault)
        try:
            process = rig.process()
            with hand:
                EVERY_END[how](rig, process, signed)
        except (BffError, pytest.fail.Exception):
            continue
    rig.provider.mood = Mood.WELL
    process = rig.process()
    process.sign_out.here(signed.token, return_url=PAGE)

    rig.settle()
    assert rig.leftovers(signed) == {}


def test_nobody_but_the_one_service_takes_sessions_out_of_the_book() -> None:
    """A sixth caller with half a clean-up of its own would be found here."""
    callers = {
        file.name
        for file in (ROOT / "bff").rglob("*.py")
        if re.search(r"book\.(end|remove)\(", file.read_text("utf-8"))
    }

    assert callers == {"session_end.py"}
