"""What the database refuses to add to the log, whoever asks, on both kinds."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from database_attackers import KeyThief, ServiceRole, service_role
from psycopg.errors import RaiseException, UniqueViolation
from sqlalchemy.exc import DBAPIError
from trail_rig import TrailPlaces, TrailRig, trail_rig

from bff.adapters.system import SystemClock, SystemEntropy

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
PAUSE = timedelta(milliseconds=20)
NUMBERS = [0, -1, 1, 2, 4, 5, 2**31, 2**53, 2**63 - 1, -(2**63)]


@pytest.fixture
def role(rig: TrailRig) -> Iterator[ServiceRole]:
    rig.fill(2)
    made = service_role(rig)
    yield made
    made.records.close()


@pytest.mark.parametrize("seq", NUMBERS)
def test_no_number_but_the_next_one_is_taken(rig: TrailRig, role: ServiceRole, seq: int) -> None:
    with pytest.raises(DBAPIError, match="only grows"):
        role.insert_event(rig.entry(9), seq=seq)

    assert role.insert_event(rig.entry(9)) == 3
    assert rig.verify().faults == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"previous": bytes(32)},
        {"previous": b""},
        {"previous": b"x" * 32},
        {"hash": b""},
        {"hash": b"x" * 31},
        {"hash": b"x" * 33},
        {"event_id": "event-1"},
    ],
)
def test_an_event_hangs_on_the_last_one(
    rig: TrailRig, role: ServiceRole, changes: dict[str, bytes | str]
) -> None:
    with pytest.raises(DBAPIError):
        role.insert_event(rig.entry(9), **changes)

    assert rig.keeper.append([rig.entry(3)]) == 3


def test_the_first_event_hangs_on_the_beginning(rig: TrailRig) -> None:
    role = service_role(rig)
    for changes in ({"seq": 0}, {"seq": 2}, {"previous": b"x" * 32}):
        with pytest.raises(DBAPIError, match="only grows"):
            role.insert_event(rig.entry(1), **changes)

    assert role.insert_event(rig.entry(1)) == 1
    role.records.close()


def test_many_events_in_one_statement_follow_each_other(rig: TrailRig, role: ServiceRole) -> None:
    assert rig.keeper.append([rig.entry(number) for number in range(3, 60)]) == 59
    assert rig.verify().faults == ()
    del role


@pytest.mark.parametrize("seq", [0, 1, 3, 10**9, 2**63 - 1, -5])
def test_a_checkpoint_is_of_an_event_that_is_there(
    rig: TrailRig, role: ServiceRole, seq: int
) -> None:
    rig.sign()
    thief = KeyThief.with_own_key(SystemEntropy())

    with pytest.raises(DBAPIError, match="only grows"):
        role.insert_checkpoint(thief.checkpoint(seq, bytes(32), signed_at=0))


def test_a_checkpoint_before_the_newest_one_is_refused(rig: TrailRig, role: ServiceRole) -> None:
    rig.sign()
    first = rig.keeper.rows(after=0, limit=1)[0]
    thief = KeyThief.with_own_key(SystemEntropy())

    with pytest.raises(DBAPIError, match="a later event has a checkpoint"):
        role.insert_checkpoint(thief.checkpoint(1, first.hash, signed_at=0))


def test_what_is_no_signature_is_refused(rig: TrailRig, role: ServiceRole) -> None:
    seq, digest = role.last()
    for key_id, signature in (("x", b"y" * 64), ("k" * 43, b"y"), ("k" * 1000, b"y" * 64)):
        with pytest.raises(DBAPIError, match="only grows"):
            role.run(
                "INSERT INTO audit_heads VALUES (:seq, :hash, 0, :key, :signature)",
                seq=seq,
                hash=digest,
                key=key_id,
                signature=signature,
            )
    del rig


def test_a_forged_checkpoint_of_the_last_event_keeps_the_genuine_one_not_out(
    rig: TrailRig, role: ServiceRole
) -> None:
    thief = KeyThief.with_own_key(SystemEntropy())
    role.insert_checkpoint(thief.checkpoint(*role.last(), signed_at=2**62))

    assert rig.signer.tend(now=rig.clock.now())

    assert [head.key_id == thief.public for head in rig.keeper.heads()].count(False) == 1
    assert ["unknown" in one.meaning for one in rig.verify().faults] == [True]


def test_replacing_by_another_program_takes_no_event_away(on_file: TrailRig) -> None:
    """Without recursive triggers SQLite tells none of the row that REPLACE throws away."""
    on_file.fill(2)
    row = on_file.raw("SELECT * FROM audit_events WHERE seq = 2")[0]
    with closing(sqlite3.connect(on_file.url.removeprefix("sqlite:///"))) as raw:
        values = {**row._mapping, "seq": 3, "event_id": "event-1", "previous": row.hash}
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        for verb in ("INSERT OR REPLACE", "INSERT OR IGNORE", "REPLACE"):
            with pytest.raises(sqlite3.IntegrityError, match="only grows"):
                raw.execute(f"{verb} INTO audit_events ({names}) VALUES ({marks})", values)
    assert on_file.verify().faults == ()


@pytest.fixture
def on_server(tmp_path: Path, places: TrailPlaces) -> Iterator[TrailRig]:
    made = trail_rig(places.new("postgresql", tmp_path), tmp_path)
    yield made
    made.records.close()


def test_a_table_of_the_same_name_deceives_no_trigger(on_server: TrailRig) -> None:
    """A session's own tables come first in its search path."""
    on_server.fill(2)
    service_role(on_server).records.close()
    with psycopg.connect(on_server.url.replace("postgres@", "limited_service@")) as raw:
        raw.execute("CREATE TEMP TABLE audit_events AS SELECT * FROM public.audit_events")
        raw.execute("UPDATE audit_events SET seq = 9223372036854775806 WHERE seq = 2")
        with pytest.raises(RaiseException, match="only grows"):
            raw.execute(
                "INSERT INTO public.audit_events SELECT 9223372036854775807, 'x', at, written_at, "
                "action, outcome, actor_kind, actor, guest, NULL, details, hash, hash "
                "FROM audit_events WHERE seq = 9223372036854775806"
            )


def wait_until_it_waits(rig: TrailRig) -> None:
    clock = SystemClock()
    with psycopg.connect(rig.url, autocommit=True) as raw:
        while raw.execute(WAITING).fetchone() != (1,):
            clock.sleep(PAUSE)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_who_adds_without_the_lock_waits_and_does_not_fork_the_log(
    on_server: TrailRig, level: str
) -> None:
    on_server.fill(1)
    copy = (
        "INSERT INTO audit_events SELECT seq + 1, %s, at, written_at, action, outcome, actor_kind, "
        "actor, guest, NULL, details, hash, decode(repeat('ab', 32), 'hex') FROM audit_events "
        "ORDER BY seq DESC LIMIT 1"
    )
    came: list[BaseException | None] = []
    with psycopg.connect(on_server.url) as first, psycopg.connect(on_server.url) as second:
        for one in (first, second):
            one.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            one.execute("SELECT count(*) FROM audit_events")
        first.execute(copy, ("a",))

        def add() -> None:
            try:
                second.execute(copy, ("b",))
            except psycopg.Error as error:
                came.append(error)

        waiting = threading.Thread(target=add)
        waiting.start()
        wait_until_it_waits(on_server)
        first.commit()
        waiting.join(30)
    assert len(came) == 1
    assert isinstance(came[0], UniqueViolation | RaiseException | psycopg.OperationalError)
    assert on_server.raw("SELECT count(*) FROM audit_events")[0][0] == 2
