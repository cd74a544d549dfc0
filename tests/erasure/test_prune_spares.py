"""`records prune` and whoever is here: a guest in use is not forgotten, however old the row is."""

from datetime import timedelta
from pathlib import Path

import pytest
from erasure_rig import ASKER, BROWSER, ErasureRig, erasure_rig
from hand_clock import HandClock
from memory_store import MemoryStore

from bff.errors import StoreDownError
from bff.guests.live_guests import LiveGuests
from bff.records.erasure import Erased
from bff.records.outbox import Outbox, OutboxFullError
from bff.records.retention import BATCH, Retention

YEAR = timedelta(days=365)


def pruned(rig: ErasureRig) -> int:
    work = Retention(
        rig.guests,
        rig.records.keeper,
        rig.records.trail,
        clock=rig.clock,
        entropy=rig.foundation.entropy,
    )
    before = work.before(YEAR)
    return work.prune(before, actor=ASKER.actor, progress=lambda _: None).guests


def test_a_guest_with_an_open_session_is_spared_and_the_others_go(tmp_path: Path) -> None:
    clock = HandClock()
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite3'}", clock=clock) as rig:
        for number in range(3):
            rig.remember(f"guest-{number}")
        clock.advance(2 * YEAR)
        session = rig.bind("guest-1")
        assert pruned(rig) == 2
        assert [rig.guests.rows.find(f"guest-{n}") is not None for n in range(3)] == [0, 1, 0]
        assert rig.bindings.find(session.session_id).guest_id == "guest-1"
        rig.bindings.end(session.session_id)
        assert pruned(rig) == 1


def test_more_guests_in_use_than_a_batch_do_not_stop_it(tmp_path: Path) -> None:
    clock = HandClock()
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite3'}", clock=clock) as rig:
        for number in range(BATCH + 5):
            rig.remember(f"guest-{number:03d}", profile={})
        clock.advance(2 * YEAR)
        for number in range(BATCH + 2):
            rig.bind(f"guest-{number:03d}")
        assert pruned(rig) == 3


def test_a_guest_who_is_here_is_written_down_as_seen_once_an_hour(tmp_path: Path) -> None:
    clock = HandClock()
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite3'}", clock=clock) as rig:
        rig.remember()
        clock.advance(timedelta(hours=2))
        for _ in range(20):
            rig.guests.memory.touch("guest-1")
        assert len(rig.records.outbox.waiting()) == 1
        rig.records.settle()
        row = rig.guests.rows.find("guest-1")
        assert row is not None
        assert row.seen_at == clock.now()
        assert row.browser is not None
        assert rig.guests.memory.recall(
            device_id="device-of-amira", browser_secret=BROWSER, person=None
        )[1]


def test_a_guest_who_could_not_be_written_down_is_so_at_the_next_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OutboxFullError("as if 10,000 waited")

    clock = HandClock()
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite3'}", clock=clock) as rig:
        rig.remember()
        clock.advance(timedelta(hours=2))
        with monkeypatch.context() as patch:
            patch.setattr(Outbox, "put", full)
            with pytest.raises(OutboxFullError):
                rig.guests.memory.touch("guest-1")
        rig.guests.memory.touch("guest-1")
        rig.records.settle()
        row = rig.guests.rows.find("guest-1")
        assert row is not None
        assert row.seen_at == clock.now()


def test_if_nobody_knows_who_is_here_nobody_is_forgotten(tmp_path: Path) -> None:
    clock = HandClock()
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite3'}", clock=clock) as rig:
        rig.remember()
        clock.advance(2 * YEAR)
        away = MemoryStore(clock)
        away.down = True
        live: LiveGuests = rig.guests.live
        live._store = away
        with pytest.raises(StoreDownError):
            pruned(rig)
        assert rig.guests.rows.find("guest-1") is not None


def test_an_erasure_by_a_person_spares_nobody(tmp_path: Path) -> None:
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite3'}") as rig:
        rig.remember()
        rig.bind()
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
