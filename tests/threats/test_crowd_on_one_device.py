"""A stranger who knows a device id fills the records with guests of that device."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from records_rig import RecordsRig, running_records
from security_model import Asset, Attacker, threat
from sqlalchemy import event

from bff.records.guest_memory import Recall

DEVICE = "device-that-is-known"
OWN = "b" * 43
TOKEN = "3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa"
CROWD = 300


def open_one(rig: RecordsRig, guest_id: str, browser: str, **more: str) -> None:
    facts = rig.facts(
        guest_id, device_id=DEVICE, browser_secret=browser, genesys_token=TOKEN, **more
    )
    assert rig.memory.write(facts)
    rig.clock.advance(timedelta(seconds=1))


@threat(
    Attacker.STRANGER,
    Asset.CONVERSATION,
    can="not hide a guest from whoever proves to be one, nor make the search slower, by opening "
    "any number of sessions with the same device id",
    noticed="`guest_refused` in the audit log for each try",
)
def test_the_real_guest_is_found_among_any_number_of_others(tmp_path: Path) -> None:
    with running_records(f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        open_one(rig, "own", OWN)
        open_one(rig, "persons", "p" * 43, person="amira")
        for number in range(CROWD):
            open_one(rig, f"other-{number}", f"{number:043d}")
        came, guest = rig.memory.recall(device_id=DEVICE, browser_secret=OWN, person=None)
        assert came is Recall.RESUMED
        assert guest is not None
        assert guest.guest_id == "own"
        _, hers = rig.memory.recall(device_id=DEVICE, browser_secret=OWN, person="amira")
        assert hers is not None
        assert hers.guest_id == "persons", "the newest that is provably hers or this browser's"
        assert rig.memory.recall(device_id=DEVICE, browser_secret="x" * 43, person="amira")[1]
        stranger = rig.memory.recall(device_id=DEVICE, browser_secret="x" * 43, person=None)
        assert stranger == (Recall.UNPROVEN, None)
        assert not [plan for plan in plans(rig) if "SCAN" in plan]


def plans(rig: RecordsRig) -> list[str]:
    """Return how SQLite answers each question of a recall."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        asked.append((statement, values))

    event.listen(rig.sql.engine, "before_cursor_execute", note)
    rig.memory.recall(device_id=DEVICE, browser_secret="x" * 43, person="zoe")
    event.remove(rig.sql.engine, "before_cursor_execute", note)
    found: list[str] = []
    questions = [(text, values) for text, values in asked if text.startswith("SELECT")]
    assert questions
    for text, values in questions:
        raw = rig.sql.engine.raw_connection()
        found += [
            row[3] for row in raw.cursor().execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
        ]
        raw.close()
    assert any("guests_by_proof" in plan for plan in found), found
    assert any("guests_by_device_and_person" in plan for plan in found), found
    return found
