"""A folder with settings and an audit log, for commands that are typed there."""

import io
import os
import sqlite3
from contextlib import closing, redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path

import pytest
from bff_rig import environment
from command_rig import Outcome

from bff.cli import main
from bff.records.audit_events import Action, AuditEvent
from bff.records.record_house import Records
from bff.settings import Settings
from bff.web.doorway import Services
from bff.wiring import build

ISSUER = "http://id.brand.localhost"
GUEST = "7d1f9f54-4f0e-4b3e-9d0a-5a1f6a4b2c11"


class Office:
    """A folder with settings, and a trail of nine events that is signed at the sixth."""

    def __init__(self, folder: Path, **changes: str) -> None:
        self.folder = folder
        self.env = environment(
            ISSUER,
            BFF_STORE_URL=f"sqlite:///{folder / 'store.sqlite3'}",
            BFF_AUDIT_HEADS=str(folder / "heads.jsonl"),
            **changes,
        )

    @property
    def database(self) -> Path:
        return self.folder / "store-records.sqlite3"

    def command(self, *arguments: str) -> Outcome:
        """Run a command in this process: a new one for each would take a second."""
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            for name in [name for name in os.environ if name.startswith("BFF_")]:  # noqa: TID251 - the command reads it
                patch.delenv(name)
            for name, value in self.env.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            code = main(arguments)
        return Outcome(code=code, out=out.getvalue(), err=err.getvalue())

    def fill(self, *, upgrade: bool = True) -> None:
        here = build(Settings.read(self.env))
        records = here.records
        assert records is not None
        if upgrade:
            records.database.upgrade()
        self._note(here, records, range(6))
        records.signer.tend(now=here.clock.now())
        self._note(here, records, range(6, 9))
        here.close()

    def _note(self, here: Services, records: Records, numbers: range) -> None:
        for number in numbers:
            records.trail.note(
                AuditEvent(
                    event_id=f"event-{number}",
                    at=here.clock.now() - timedelta(hours=1) + timedelta(seconds=number),
                    action=Action.GUEST_CREATED,
                    guest_id=GUEST,
                    source="192.0.2.7",
                )
            )
            records.settle()

    def meddle(self, statement: str) -> None:
        with closing(sqlite3.connect(self.database)) as raw, raw:
            raw.execute("DROP TRIGGER audit_events_no_update")
            raw.execute("DROP TRIGGER audit_events_no_delete")
            raw.execute(statement)
