"""Sessions that run out: noticed within two minutes, with all that belongs to them, unscanned."""

import json
import threading
from datetime import timedelta

import pytest
from ending_rig import PAGE, EndingRig
from signin_rig import ABSOLUTE, IDLE

from bff.errors import StoreDownError
from bff.records.audit_events import Action
from bff.signin.records import EndReason
from bff.signin.session_end import TELLING
from bff.signin.session_expiry import AFTERLIFE, BUCKET, CURSOR, LIMIT, LOOK_AGAIN
from bff.signin.session_news import NewsDesk

SECOND = timedelta(seconds=1)


def test_what_nobody_used_is_ended_and_revoked_within_two_minutes(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    ending.clock.advance(IDLE - SECOND)
    assert process.sweep.once() == 0
    assert process.book.find(signed.token) is not None

    ending.clock.advance(2 * BUCKET)
    assert process.sweep.once() == 1

    ending.settle()
    assert ending.leftovers(signed) == {}
    (event,) = ending.trail.of(signed.session)
    assert event.action is Action.SESSION_EXPIRED
    assert event.details["person"] == "pairwise of amira"


def test_use_moves_the_end_and_the_sweep_follows(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    ending.clock.advance(IDLE - timedelta(hours=1))
    process.book.require(signed.token)

    ending.clock.advance(timedelta(hours=2))
    early = process.sweep.once()
    alive = process.book.find(signed.token)
    ending.clock.advance(IDLE)
    late = process.sweep.once()

    assert alive is not None
    assert (early, late) == (0, 1)
    ending.settle()
    assert ending.leftovers(signed) == {}


def test_the_absolute_limit_is_noticed_although_it_was_used_all_the_time(
    ending: EndingRig,
) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    ends = signed.session.created_at + ABSOLUTE
    while ending.clock.now() < ends:
        process.book.require(signed.token)
        ending.clock.advance(IDLE / 2)
        process.sweep.once()
    ending.clock.advance(2 * BUCKET)
    process.sweep.once()

    ending.settle()
    assert ending.leftovers(signed) == {}


def test_a_service_that_was_away_for_a_night_catches_up(ending: EndingRig) -> None:
    process = ending.process()
    process.sweep.once()
    signed = ending.sign_in(process)
    ending.clock.advance(IDLE + AFTERLIFE - timedelta(hours=1))

    assert ending.process().sweep.once() == 1

    ending.settle()
    assert ending.leftovers(signed) == {}


def test_a_session_that_ended_otherwise_is_not_ended_again(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    process.sign_out.here(signed.token, return_url=PAGE)
    ending.clock.advance(IDLE + 2 * BUCKET)

    assert process.sweep.once() == 0
    (event,) = ending.trail.of(signed.session)
    assert event.action is Action.SIGNED_OUT


def test_a_round_asks_for_no_more_than_what_is_due(ending: EndingRig) -> None:
    """A thousand sessions that live cost a sweep nothing."""
    process = ending.process()
    ending.sign_in(process)
    process.sweep.once()
    ending.clock.advance(2 * BUCKET)
    ending.store.calls = 0
    process.sweep.once()
    few = ending.store.calls
    for number in range(50):
        ending.sign_in(process, f"person {number}", browser=f"browser {number}")
    process.sweep.once()
    ending.clock.advance(2 * BUCKET)
    ending.store.calls = 0
    process.sweep.once()

    assert ending.store.calls == few
    assert few < 10


def test_a_crowd_that_runs_out_at_once_is_ended_in_several_rounds(
    ending: EndingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bff.signin.session_expiry.LIMIT", 4)
    assert LIMIT > 4
    process = ending.process()
    process.sweep.once()
    crowd = [ending.sign_in(process, f"p{n}", browser=f"b{n}") for n in range(10)]
    ending.clock.advance(IDLE + 2 * BUCKET)

    ended = [process.sweep.once() for _ in range(4)]

    assert (sum(ended), max(ended)) == (10, 4)
    ending.settle()
    assert all(ending.leftovers(signed) == {} for signed in crowd)


def test_a_store_that_fails_in_a_sweep_loses_nobody(ending: EndingRig) -> None:
    process = ending.process()
    process.sweep.once()
    crowd = [ending.sign_in(process, f"p{n}", browser=f"b{n}") for n in range(3)]
    ending.clock.advance(IDLE + 2 * BUCKET)
    for at in range(1, 2000, 7):
        with ending.store.failing(at, lost="request"):
            try:
                process.sweep.once()
            except StoreDownError:
                continue
            if ending.store.calls < at:
                break
    process.sweep.once()

    ending.settle()
    assert all(ending.leftovers(signed) == {} for signed in crowd)


def test_pages_that_are_open_hear_that_it_ran_out(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    news = NewsDesk(ending.store.real, clock=ending.clock)
    with news.inbox(signed.key) as inbox:
        ending.clock.advance(IDLE + 2 * BUCKET)
        process.sweep.once()
        heard = inbox.get(timeout=5)
    news.close()

    assert heard is not None
    assert heard.reason is EndReason.EXPIRED


def test_a_session_of_the_version_before_is_watched_from_its_next_use(ending: EndingRig) -> None:
    process = ending.process()
    signed = ending.sign_in(process)
    minute = int(signed.session.ends_at.timestamp()) // 60
    ending.store.real.leave(f"session-expiry:{minute}", signed.key)
    before = _without(ending, signed.key, "watched", "issued_at")
    assert before is not None
    ending.clock.advance(timedelta(hours=1))
    process.book.require(signed.token)

    ending.clock.advance(IDLE + 2 * BUCKET)
    process.sweep.once()

    ending.settle()
    assert ending.leftovers(signed) == {}


def _without(rig: EndingRig, key: str, *fields: str) -> object:
    """Rewrite a session as the version before wrote it."""
    foundation = rig.foundation(rig.store.real)
    name = f"session:{key}"
    entry = rig.store.real.get(name)
    assert entry is not None
    record = json.loads(foundation.sealer.open(entry.value, context=name))
    for field in fields:
        del record[field]
    sealed = foundation.sealer.seal(json.dumps(record).encode(), context=name)
    return rig.store.real.put(name, sealed, ttl=IDLE)


def test_one_that_cannot_be_read_holds_up_no_other(ending: EndingRig) -> None:
    process = ending.process()
    strange, plain = (ending.sign_in(process, browser=name) for name in ("one", "another"))
    name = f"session:{strange.session.key}"
    entry = ending.store.get(name)
    assert entry is not None
    ending.store.put(name, b"\x01 of a newer version", ttl=timedelta(days=2))
    ending.clock.advance(IDLE + 2 * BUCKET)

    assert process.sweep.once() == 1
    ending.settle()
    assert ending.leftovers(plain) == {}
    kept = ending.store.get(name)
    assert kept is not None, "nobody concludes anything from what they cannot read"

    ending.store.put(name, entry.value, ttl=timedelta(days=1))
    ending.clock.advance((LOOK_AGAIN + 2) * BUCKET)
    assert process.sweep.once() == 1, "it is looked at again"
    ending.settle()
    assert ending.leftovers(strange) == {}


@pytest.mark.parametrize("written", [b"99999999999", b"no number", b"-4", b""])
def test_a_cursor_of_a_clock_that_was_wrong_stops_no_sweep(
    ending: EndingRig, written: bytes
) -> None:
    """One process with a clock of years ahead would have stopped it for these years."""
    process = ending.process()
    signed = ending.sign_in(process)
    ending.store.put(CURSOR, written, ttl=ABSOLUTE)
    ending.clock.advance(IDLE + 2 * BUCKET)

    assert process.sweep.once() == 1
    ending.settle()
    assert ending.leftovers(signed) == {}


def test_a_crowd_that_runs_out_asks_genesys_in_one_line_and_not_all_at_once(
    ending: EndingRig,
) -> None:
    process = ending.process()
    crowd = [ending.sign_in(process, browser=f"browser {place}") for place in range(8)]
    ending.clock.advance(IDLE + 2 * BUCKET)

    assert process.sweep.once() == len(crowd)

    for thread in threading.enumerate():
        if thread.name == TELLING:
            thread.join(20)
    assert ending.genesys.revoked == []
    ending.settle()
    assert [ending.leftovers(signed) for signed in crowd] == [{}] * len(crowd)
