"""Files are scrubbed after an erasure; what a reader prevents is owed, and done once it can be."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from erasure_rig import ASKER, ErasureRig, erasure_rig, stored_key
from hand_clock import HandClock

from bff.records.erasure import Erased
from bff.records.guest_memory import GuestFacts
from bff.records.scrubbing import OWED

FILES = ("store.sqlite3", "store-keys.sqlite3", "records.sqlite3")


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Hold a snapshot of a file: what is deleted meanwhile must stay readable to us."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        table = "guests" if "records" in file.name else "entries"
        connection.execute(f"SELECT * FROM {table}").fetchall()
        yield


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def traces_of(rig: ErasureRig) -> list[bytes]:
    """Return what is stored of guest-1, sealed: row, key, and the session in the store."""
    row = rig.guests.rows.find("guest-1")
    assert row is not None
    with closing(sqlite3.connect(rig.folder / "store.sqlite3")) as store:
        bound = store.execute("SELECT value FROM entries WHERE name LIKE 'guest:%'").fetchall()
    sealed = (row.name_sealed, row.email_sealed, row.session_sealed)
    found = [*filter(None, sealed), stored_key(rig.folder / "store-keys.sqlite3"), bound[0][0]]
    assert len(found) == 5
    return found


def left(rig: ErasureRig, traces: list[bytes]) -> int:
    disk = everything_in(rig.folder)
    return sum(trace in disk for trace in traces)


def test_all_three_files_are_scrubbed_the_store_too(tmp_path: Path) -> None:
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        rig.remember()
        rig.bind()
        traces = traces_of(rig)
        assert left(rig, traces) == 5, "the check can see"
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
        assert left(rig, traces) == 0
        assert rig.foundation.store.members(OWED) == []


@pytest.mark.parametrize("file", FILES)
def test_what_a_reader_prevented_is_done_by_the_rounds_when_the_reader_has_gone(
    tmp_path: Path, file: str
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    with erasure_rig(tmp_path, url, BFF_RECORDS_TIMEOUT="1") as rig:
        rig.remember()
        rig.bind()
        traces = traces_of(rig)
        with reading(tmp_path / file):
            assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE, "nobody waits for it"
            assert left(rig, traces) > 0
            rig.guests.rounds.once()
            assert len(rig.foundation.store.members(OWED)) == 1
        rig.clock.advance(timedelta(seconds=10))
        rig.guests.rounds.once()
        assert left(rig, traces) == 0
        assert rig.foundation.store.members(OWED) == []


def test_what_is_owed_outlives_a_restart(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path / 'records.sqlite3'}", HandClock()
    with (
        reading_later(tmp_path / "records.sqlite3") as read,
        erasure_rig(tmp_path, url, clock=clock, BFF_RECORDS_TIMEOUT="1") as rig,
    ):
        rig.remember()
        rig.bind()
        traces = traces_of(rig)
        read()
        rig.guests.erasure.ask("guest-1", ASKER)
    # The reader has gone after us: the log beside the file is as it was.
    with erasure_rig(tmp_path, url, clock=clock) as rig:
        assert len(rig.foundation.store.members(OWED)) == 1
        rig.guests.rounds.once()
        assert rig.foundation.store.members(OWED) == []
        assert left(rig, traces) == 0


@contextmanager
def reading_later(file: Path) -> Iterator[Callable[[], None]]:
    """Yield what begins to read when it is called; it reads until the block ends."""
    opened: list[sqlite3.Connection] = []

    def read() -> None:
        connection = sqlite3.connect(file, isolation_level=None)
        opened.append(connection)
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM guests").fetchall()

    yield read
    for connection in opened:
        connection.close()


def test_many_deletions_are_scrubbed_once_and_addresses_with_them(tmp_path: Path) -> None:
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        for number in range(30):
            rig.remember(f"guest-{number}", profile={"name": f"Name of {number}"})
        rig.bind()
        traces = traces_of_row(rig)
        for number in range(30):
            rig.guests.erasure.ask(f"guest-{number}", ASKER, scrub=False)
        assert len(rig.foundation.store.members(OWED)) == 30
        assert rig.guests.erasure.scrub()
        assert rig.foundation.store.members(OWED) == []
        assert left(rig, traces) == 0


def traces_of_row(rig: ErasureRig) -> list[bytes]:
    row = rig.guests.rows.find("guest-1")
    assert row is not None
    return [*filter(None, (row.name_sealed, row.session_sealed))]


def test_an_erasure_that_is_not_done_yet_is_owed_its_scrub_until_it_is(tmp_path: Path) -> None:
    """A scrub of somebody else meanwhile does not pay for what is deleted later."""
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        rig.remember()
        pseudonym = rig.records.keys.pseudonym("guest-1")
        erasure = rig.guests.erasure
        row = erasure._wanted("guest-1", pseudonym, ASKER)
        erasure._erasures.begin(row, asked=erasure._asked(row, ASKER))
        erasure._scrubs.owe(pseudonym)
        assert erasure.scrub()
        assert rig.foundation.store.members(OWED) == [pseudonym]
        rig.guests.rounds.once()
        assert rig.foundation.store.members(OWED) == []
        assert rig.guests.rows.find("guest-1") is None


def test_what_waits_for_the_database_is_scrubbed_once_it_has_been_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        rig.remember()
        with monkeypatch.context() as held_up:
            held_up.setattr(rig.records.writer, "once", lambda: 0)
            rig.guests.erasure.deliver_first(rig.records.writer.once)
            for name in ("Amira", "Amira Haddad"):
                rig.guests.memory.remember(
                    GuestFacts(guest_id="guest-1", at=rig.clock.now(), profile={"name": name})
                )
            assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
            assert len(rig.foundation.store.members(OWED)) == 1, "it lies in the store"
        with closing(sqlite3.connect(tmp_path / "store.sqlite3")) as store:
            names = "SELECT value FROM entries WHERE name LIKE 'outbox-event:%'"
            traces = [bytes(value) for (value,) in store.execute(names)]
        assert left(rig, traces) == len(traces) > 0
        rig.records.settle()
        rig.guests.rounds.once()
        assert left(rig, traces) == 0
        assert rig.foundation.store.members(OWED) == []
