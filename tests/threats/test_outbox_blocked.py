"""The service's database role, or the database's owner, makes the database take nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
from erasure_rig import ErasureRig, erasure_rig
from security_model import Asset, Attacker, threat
from sqlalchemy import text

from bff.records.audit_events import Action, AuditEvent

HIGHEST = 2**63 - 1


def fill(rig: ErasureRig, count: int) -> None:
    for number in range(count):
        rig.clock.advance(timedelta(seconds=1))
        rig.records.trail.note(
            AuditEvent(event_id=f"event-{number}", at=rig.clock.now(), action=Action.SIGNED_IN)
        )


def as_the_role(rig: ErasureRig, statement: str) -> None:
    """Run SQL with the rights of the service."""
    database = rig.records.database
    database.write(lambda connection: connection.execute(text(statement)))  # type: ignore[attr-defined]


@threat(
    Attacker.DATABASE_OWNER,
    Asset.AUDIT_LOG,
    can="keep events out of the log for as long as they like; none of them is lost",
    noticed="an alarm, figures of what waits and since when; `outbox list`",
)
@pytest.mark.parametrize(
    ("block", "free"),
    [
        ("ALTER TABLE audit_events RENAME TO gone", "ALTER TABLE gone RENAME TO audit_events"),
        (
            (
                "CREATE TRIGGER never BEFORE INSERT ON audit_events "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            ),
            "DROP TRIGGER never",
        ),
    ],
)
def test_a_log_that_takes_nothing_loses_nothing(
    block: str, free: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        as_the_role(rig, block)
        fill(rig, 20)
        for _ in range(10):
            rig.clock.advance(timedelta(days=40))
            rig.records.writer.once()
        assert rig.records.outbox.figures["audit"].pending == 20
        assert rig.records.outbox.dead.ids() == []
        assert "records wait" in caplog.text
        as_the_role(rig, free)
        rig.records.writer.once()
        rows = rig.records.keeper.rows(after=0, limit=99)
        assert [row.event_id for row in rows] == [f"event-{number}" for number in range(20)]
