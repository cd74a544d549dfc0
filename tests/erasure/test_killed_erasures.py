"""A process that erases is killed at each of its steps; the next start finishes what it began."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from command_rig import bare, brand_site, serving
from erasure_job import STEPS
from erasure_rig import ASKER, ErasureRig, erasure_rig, stored_key
from postgres_server import PostgresServer
from records_rig import database

from bff.adapters.system import SystemClock
from bff.guests.guest_binding import SessionUnknownError
from bff.records.erasure import Erased
from bff.records.scrubbing import OWED

LIMIT_S = 60
ROOT = Path(__file__).parent.parent.parent
RIGS = ROOT / "tests" / "rigs"
MOMENTS = [(*step, when) for step in STEPS for when in ("before", "after")]
# The steps that are not in the database are the same on each.
CASES = [("sqlite", *moment) for moment in MOMENTS] + [
    ("postgresql", *moment) for moment in MOMENTS if moment[1] in {"begin", "finish"}
]


def killed_at(folder: Path, url: str, *moment: str) -> None:
    """Let a process of its own begin to erase guest-1, and die at that moment."""
    paths = os.pathsep.join(map(str, (RIGS, ROOT)))
    job = [sys.executable, str(RIGS / "erasure_job.py"), str(folder), url, *moment]
    done = subprocess.run(
        job, env=bare({"PYTHONPATH": paths}), capture_output=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize(("kind", "who", "deed", "when"), CASES)
def test_whatever_moment_it_died_at_the_next_start_finishes(
    tmp_path: Path, postgres: PostgresServer, kind: str, who: str, deed: str, when: str
) -> None:
    with database(kind, tmp_path, postgres) as url:
        dies_and_is_finished(tmp_path, url, who, deed, when)


def dies_and_is_finished(tmp_path: Path, records_url: str, who: str, deed: str, when: str) -> None:
    with erasure_rig(tmp_path, records_url, clock=SystemClock()) as rig:
        rig.remember()
        session = rig.bind()
        row = rig.guests.rows.find("guest-1")
        assert row is not None
        in_files = records_url.startswith("sqlite")
        sealed = (row.name_sealed, row.email_sealed, row.session_sealed) if in_files else ()
        traces = [stored_key(tmp_path / "store-keys.sqlite3"), *filter(None, sealed)]
        assert all(trace in disk(tmp_path) for trace in traces), "the check can see"
    killed_at(tmp_path, records_url, who, deed, when)
    with erasure_rig(tmp_path, records_url, clock=SystemClock()) as rig:
        was_asked = (who, deed, when) != ("erasures", "begin", "before")
        if not was_asked:
            assert not rig.opens_nothing(), "nobody was told anything, and nothing has happened"
            assert rig.guests.erasure.resume_unfinished() == 0
            return
        rig.guests.erasure.resume_unfinished()
        is_gone(rig)
        with pytest.raises(SessionUnknownError):
            rig.bindings.resume(session.encrypted_session_id, browser_secret="b" * 43, person=None)
        assert rig.guests.erasure.resume_unfinished() == 0, "once is enough"
        rig.guests.rounds.once()
        assert rig.foundation.store.members(OWED) == [], "and the files are scrubbed"
        assert not any(trace in disk(tmp_path) for trace in traces)


def disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file())


def is_gone(rig: ErasureRig) -> None:
    assert rig.guests.rows.find("guest-1") is None
    assert rig.guests.keys.find("guest-1") is None
    assert rig.opens_nothing()
    # A service that begins makes keys, and tells of them.
    actions = [action for action, *_ in rig.told() if action != "keys_rotated"]
    assert actions == ["erasure_asked", "guest_erased"], "each event is there, and once"
    assert rig.verdict().faults == ()


def test_asked_again_instead_it_is_finished_as_well(tmp_path: Path, records_url: str) -> None:
    with erasure_rig(tmp_path, records_url, clock=SystemClock()) as rig:
        rig.remember()
    killed_at(tmp_path, records_url, "keys", "destroy", "after")
    with erasure_rig(tmp_path, records_url, clock=SystemClock()) as rig:
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
        is_gone(rig)


def test_serve_finishes_soon_after_its_start_and_nobody_has_to_ask(tmp_path: Path) -> None:
    """The rounds of the service itself, with nothing but the files that the dead one left."""
    url, clock = f"sqlite:///{tmp_path / 'store-records.sqlite3'}", SystemClock()
    with erasure_rig(tmp_path, url, clock=clock) as rig:
        rig.remember()
    killed_at(tmp_path, url, "erasures", "begin", "after")
    with (
        brand_site(tmp_path) as site,
        serving(site),
        erasure_rig(tmp_path, url, clock=clock) as rig,
    ):
        deadline = clock.now() + timedelta(seconds=LIMIT_S)
        while rig.guests.erasure.knows("guest-1") and clock.now() < deadline:
            clock.sleep(timedelta(milliseconds=100))
        is_gone(rig)
