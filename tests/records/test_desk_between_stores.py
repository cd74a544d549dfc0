"""The desk between store and database: what one of them does not take, nobody gets by it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desk_rig import BROWSER, DeskRig, running_desk

from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.guest_binding import GuestBindings
from bff.guests.guest_tasks import (
    GuestForgotten,
    GuestNotOpened,
    GuestNotOwned,
    GuestOwned,
    NobodyKnows,
)
from bff.records.archive import Archive
from bff.records.audit_events import Action


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DeskRig]:
    with running_desk(tmp_path) as running:
        yield running


def test_an_end_without_the_store_is_recorded_and_done_when_it_is_tried_again(
    rig: DeskRig,
) -> None:
    first = rig.settled()
    end = rig.end_of(first)
    rig.store.down = True
    assert isinstance(rig.desk.perform(end), NobodyKnows)
    rig.store.down = False
    assert rig.opened().guest_id != first.guest_id, "the record says that it is over"
    assert isinstance(rig.desk.perform(end), GuestForgotten)
    assert rig.is_refused(first.encrypted_session_id)
    ends = [event for event in rig.trail.events if event.action is Action.GUEST_ENDED]
    assert len(ends) == 1


def test_an_end_is_one_although_the_session_was_lost_before(rig: DeskRig) -> None:
    first = rig.settled()
    rig.desk.bindings.end(first.session_id)
    assert isinstance(rig.desk.perform(rig.end_of(first)), GuestForgotten)
    assert rig.opened().guest_id != first.guest_id


def test_a_session_that_only_ran_out_is_come_back_to(rig: DeskRig) -> None:
    first = rig.settled()
    rig.desk.bindings.end(first.session_id)
    rig.desk.perform(replace(rig.end_of(first), reason=GuestEnd.EXPIRED))
    again = rig.opened()
    assert (again.resumed, again.guest_id) == (True, first.guest_id)


def test_a_claim_without_a_step_keeps_everybody_else_out(rig: DeskRig) -> None:
    """As if the process had been killed between the mark and the binding."""
    first = rig.settled()
    rig.desk.archive.claims(first.guest_id, "amira")
    assert rig.is_refused(first.encrypted_session_id)
    assert rig.opened().guest_id != first.guest_id


def test_without_the_store_nobody_is_told_that_it_is_theirs(rig: DeskRig) -> None:
    first = rig.settled()
    rig.store.down = True
    answer = rig.owns(first, "amira")
    assert isinstance(answer, GuestNotOwned)
    assert answer.retry_after
    rig.store.down = False
    assert isinstance(rig.owns(first, "amira"), GuestOwned)
    assert rig.is_refused(first.encrypted_session_id)
    row = rig.rig.rows.find(first.guest_id)
    assert row is not None
    assert row.person is not None, "written before it was answered"


def test_what_stops_behind_the_step_leaves_it_to_the_person(
    rig: DeskRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the process had been killed between the binding and the record."""
    first = rig.settled()

    def killed(*_: object, **__: object) -> bool:
        raise RuntimeError("killed")

    monkeypatch.setattr(Archive, "stepped_up", killed)
    assert isinstance(rig.owns(first, "amira"), GuestNotOwned)
    assert rig.is_refused(first.encrypted_session_id)
    assert not rig.opened().resumed


def test_another_persons_session_is_given_to_nobody(rig: DeskRig) -> None:
    first = rig.settled()
    assert isinstance(rig.owns(first, "amira"), GuestOwned)
    answer = rig.owns(first, "zoe")
    assert answer == GuestNotOwned()
    _, hers = rig.rig.memory.recall(device_id="device-1", browser_secret=BROWSER, person="amira")
    assert hers is not None, "what zoe tried is nothing to amira"


@pytest.mark.parametrize("what", ["ends", "is owned"])
def test_what_happens_between_recall_and_session_is_seen(
    rig: DeskRig, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rig.settled()
    bind = rig.desk.bindings.bind

    def meanwhile(*_: Any, **wanted: Any) -> Any:
        monkeypatch.undo()
        if what == "ends":
            rig.desk.perform(rig.end_of(first))
        else:
            rig.owns(first, "amira")
        return bind(**wanted)

    monkeypatch.setattr(GuestBindings, "bind", meanwhile)
    again = rig.opened()
    assert (again.resumed, again.guest_id == first.guest_id) == (False, False)
    assert {binding.person for binding in rig.desk.live.of(first.guest_id)} <= {"amira"}


def test_a_refused_resume_is_written_down_as_often_as_there_may_be_new_sessions(
    rig: DeskRig,
) -> None:
    answers = [rig.open("bm90aGluZw") for _ in range(30)]
    codes = [answer.code for answer in answers if isinstance(answer, GuestNotOpened)]
    assert codes == [FrameCode.SESSION_UNKNOWN] * 10 + [FrameCode.RATE_LIMITED] * 20
    assert len(rig.trail.events) == 10
    assert not rig.opened().resumed, "a new session is counted apart"
    rig.rig.clock.advance(timedelta(minutes=1))
    assert rig.is_refused("bm90aGluZw")
