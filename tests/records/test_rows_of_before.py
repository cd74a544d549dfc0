"""Rows that a version before wrote: read as they were, and ended where they had ended."""

from datetime import timedelta
from typing import Any, Final

from alembic import command
from hand_clock import HandClock
from records_rig import RecordsRig, running_records
from sqlalchemy import Connection, text

from bff.adapters import sql_migrations
from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.sql_guests import micros
from bff.records.guest_memory import Recall

DEVICE: Final = "device-1"
BROWSER: Final = "b" * 43
TOKEN: Final = "3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa"
OLD: Final = ("device", "person", "email", "browser", "email_sealed", "session_sealed")


def at_version(url: str, revision: str) -> SqlRecords:
    records = SqlRecords(RecordsPlace(url=url))

    def steps(connection: Connection) -> None:
        config = sql_migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    records.write(steps)
    return records


def sealed_by(rig: RecordsRig, guest_id: str) -> dict[str, Any]:
    """Return the columns of a guest as the version before had them."""
    facts = rig.facts(
        guest_id,
        device_id=DEVICE,
        browser_secret=BROWSER,
        genesys_token=TOKEN,
        profile={"email": "amira@example.com"},
    )
    assert rig.memory.write(facts)
    row = rig.rows.find(guest_id)
    return {name: getattr(row, name) for name in OLD}


def test_what_stood_there_is_still_found_and_what_had_ended_has_ended(
    records_url: str, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    before = at_version(records_url, "0002")
    with running_records(f"sqlite:///{folder / 'r.sqlite3'}") as elsewhere:
        old = {name: sealed_by(elsewhere, name) for name in ("open", "over")}
        old["over"]["session_sealed"] = None
        seen = micros(HandClock().now())
        columns = ("guest_id", "tenant", *OLD, "created_at", "seen_at", "version")
        written = text(
            f"INSERT INTO guests ({', '.join(columns)}) "
            f"VALUES ({', '.join(f':{name}' for name in columns)})"
        )
        for guest_id, values in old.items():
            row = {"guest_id": guest_id, "tenant": "deployment-1", **values}
            row |= {"created_at": seen, "seen_at": seen, "version": 1}
            with before.engine.begin() as connection:
                connection.execute(written, row)
        before.close()
        with running_records(records_url) as rig:
            rig.memory._keys = elsewhere.keys
            now_open, over = rig.rows.find("open"), rig.rows.find("over")
            assert now_open is not None
            assert over is not None
            assert (now_open.session_at, now_open.ended_at) == (HandClock().now(), None)
            assert (over.session_at, over.ended_at) == (None, HandClock().now())
            assert now_open.email_verified is None, "nobody knows any more"
            asked: dict[str, Any] = {"browser_secret": BROWSER, "person": None}
            assert rig.memory.recall(device_id=DEVICE, **asked)[1].guest_id == "open"  # type: ignore[union-attr]
            late = rig.facts("over", device_id=DEVICE, browser_secret=BROWSER, genesys_token=TOKEN)
            assert rig.memory.write(late), "the letter of its beginning comes late"
            assert rig.rows.find("over").session_sealed is None  # type: ignore[union-attr]
            rig.clock.advance(timedelta(minutes=1))
            newer = rig.facts("over", device_id=DEVICE, browser_secret=BROWSER, genesys_token="t")
            assert rig.memory.write(newer)
            came, guest = rig.memory.recall(device_id=DEVICE, **asked)
            assert (came, guest and guest.guest_id) == (Recall.RESUMED, "over")


def test_a_row_of_a_process_of_before_ends_as_well(records_url: str) -> None:
    """While one process after the other is replaced, those of before write rows without times."""
    with running_records(records_url) as rig:
        sealed_by(rig, "guest-1")
        untimed = "session_at = NULL, told_at = NULL, device_at = NULL, browser_at = NULL"
        rig.sql.write(
            lambda connection: connection.execute(text(f"UPDATE guests SET {untimed}, ties = NULL"))
        )
        rig.clock.advance(timedelta(minutes=1))
        assert rig.memory.write(rig.facts("guest-1", ended=True))
        row = rig.rows.find("guest-1")
        assert row is not None
        assert row.session_sealed is None
        asked: dict[str, Any] = {"browser_secret": BROWSER, "person": None}
        assert rig.memory.recall(device_id=DEVICE, **asked) == (Recall.UNKNOWN, None)
