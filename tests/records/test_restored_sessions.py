"""A store that came back older has sessions again that had gone: the record knows better.

So does one whose process died between the record and the store.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from desk_rig import DeskRig, running_desk
from sqlalchemy import text

from bff.guests.guest_binding import BINDINGS, group_of_guest
from bff.guests.guest_tasks import GuestNotOwned, GuestOpened, GuestOwned, NobodyKnows

LATER = timedelta(seconds=1)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DeskRig]:
    with running_desk(tmp_path) as running:
        yield running


def kept(rig: DeskRig, opened: GuestOpened) -> bytes:
    """Return the session as the replica has it that knows nothing of what comes next."""
    entry = rig.store.get(f"{BINDINGS}:{opened.session_id}")
    assert entry is not None
    return entry.value


def restored(rig: DeskRig, opened: GuestOpened, value: bytes) -> None:
    """Let the replica take over."""
    rig.store.put(f"{BINDINGS}:{opened.session_id}", value, ttl=timedelta(hours=1))
    rig.store.join(group_of_guest(opened.guest_id), opened.session_id, ttl=timedelta(hours=1))


def test_one_that_ended_stays_so(rig: DeskRig) -> None:
    first = rig.settled()
    before = kept(rig, first)
    rig.rig.clock.advance(LATER)
    rig.desk.perform(rig.end_of(first))
    restored(rig, first, before)
    assert rig.is_refused(first.encrypted_session_id)


def test_one_that_became_a_persons_is_nobody_elses(rig: DeskRig) -> None:
    first = rig.settled()
    before = kept(rig, first)
    assert isinstance(rig.owns(first, "amira"), GuestOwned)
    restored(rig, first, before)
    assert rig.is_refused(first.encrypted_session_id), "of whoever has this browser next"
    rig.sign_ins.person = "zoe"
    assert rig.is_refused(first.encrypted_session_id)
    rig.sign_ins.person = "amira"
    again = rig.opened(first.encrypted_session_id)
    assert (again.guest_id, again.person) == (first.guest_id, "amira")


def test_one_that_was_anonymous_when_its_guest_became_a_persons_elsewhere(rig: DeskRig) -> None:
    """Recalled by the person, and left before the step: its id lies in the browser."""
    first = rig.settled()
    rig.sign_ins.person = "amira"
    tab = rig.opened()
    assert (tab.guest_id, tab.owner) == (first.guest_id, None)
    before = kept(rig, tab)
    assert isinstance(rig.owns(first, "amira"), GuestOwned)
    restored(rig, tab, before)
    rig.sign_ins.person = None
    assert rig.is_refused(tab.encrypted_session_id)


def test_an_end_that_only_the_record_took_holds_although_the_process_died(rig: DeskRig) -> None:
    first = rig.settled()
    rig.rig.clock.advance(LATER)
    rig.store.down = True
    assert isinstance(rig.desk.perform(rig.end_of(first)), NobodyKnows)
    rig.store.down = False
    assert rig.is_refused(first.encrypted_session_id), "nobody is there to try the end again"


def test_a_database_that_is_away_ends_no_chat(rig: DeskRig) -> None:
    first = rig.settled()
    rig.rig.sql.write(
        lambda connection: connection.execute(text("ALTER TABLE guests RENAME TO gone"))
    )
    assert rig.opened(first.encrypted_session_id).guest_id == first.guest_id
    rig.rig.sql.engine.dispose()
    rig.rig.clock.advance(LATER)
    rig.desk.archive.ends(first.guest_id, rig.rig.clock.now())
    assert rig.is_refused(first.encrypted_session_id), "what waits is believed all the same"


def test_what_another_tries_keeps_the_person_from_nothing(rig: DeskRig) -> None:
    first = rig.settled()
    assert isinstance(rig.owns(first, "amira"), GuestOwned)
    assert rig.owns(first, "zoe") == GuestNotOwned()
    rig.sign_ins.person = "amira"
    again = rig.opened(first.encrypted_session_id)
    assert again.guest_id == first.guest_id
