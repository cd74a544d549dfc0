"""`messenger-bff guests import`: pages, what counts as what, being stopped, and going on."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from command_rig import COMMAND, bare
from erasure_rig import ASKER, erasure_rig
from typed_commands import Typist, typist

from bff.adapters.system import SystemClock
from bff.simulator.genesys_faults import Door, Fault

Start = Callable[..., AbstractContextManager[Typist]]


def people(count: int) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "id": f"guest-{number}",
            "deviceId": f"device-{number}",
            "email": f"guest{number}@example.com",
            "firstName": f"Guest {number}",
        }
        for number in range(count)
    )


@pytest.fixture
def start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Start:
    @contextmanager
    def started(guests: tuple[dict[str, Any], ...], **changes: str) -> Iterator[Typist]:
        with typist(tmp_path, monkeypatch, capsys, guests=guests, **changes) as made:
            yield made

    return started


def test_every_page_is_taken_and_told_in_sums(start: Start) -> None:
    with start(people(25)) as operator:
        done = operator.type("guests", "import")
        assert (done.code, done.out) == (0, "3 pages: 25 new, 0 known, 0 skipped, 0 failed\n")
        with operator.records() as rig:
            assert rig.guests.memory.profile_of("guest-24") == {
                "email": "guest24@example.com",
                "name": "Guest 24",
            }
            assert rig.guests.of_email("GUEST7@example.com") == ["guest-7"]
            assert rig.told() == [("import_run", rig.told()[0][1], None)]
        again = operator.type("guests", "import")
        assert again.out == "3 pages: 0 new, 25 known, 0 skipped, 0 failed\n"


def test_a_page_of_the_size_that_is_set_is_asked_for(start: Start) -> None:
    with start(people(9), BFF_IMPORT_PAGE_SIZE="3") as operator:
        assert operator.type("guests", "import").out.startswith("3 pages: 9 new")


def test_what_is_malformed_fails_alone_and_what_is_empty_is_skipped(start: Start) -> None:
    strange: tuple[Any, ...] = (
        {"id": "only-an-id"},
        {"id": "no-name", "deviceId": "d", "email": None},
        {"id": 7, "email": "a@b.c"},
        {"email": "a@b.c"},
        {"id": "spaces in it", "email": "a@b.c"},
        {"id": "x" * 513, "email": "a@b.c"},
        {"id": "nul", "firstName": "a\0b"},
        {"id": "long", "firstName": "x" * 1000},
        {"id": "list", "email": ["a@b.c"]},
        {"id": "'; DROP TABLE guests; --".replace(" ", "_"), "firstName": "Robert"},
    )
    with start(strange) as operator:
        done = operator.type("guests", "import")
        assert done.out == "1 page: 2 new, 0 known, 1 skipped, 7 failed\n"


def test_an_erased_guest_is_not_brought_back(start: Start) -> None:
    with start(people(2)) as operator:
        operator.type("guests", "import")
        with operator.records() as rig:
            rig.guests.erasure.ask("guest-0", ASKER)
        assert "0 new, 1 known, 1 skipped" in operator.type("guests", "import").out
        with operator.records() as rig:
            assert not rig.guests.erasure.knows("guest-0")


def test_an_import_fills_gaps_and_does_not_make_anybody_look_seen(start: Start) -> None:
    with start(people(1)) as operator:
        with operator.records() as rig:
            rig.remember("guest-0", device_id=None, profile={"name": "Amira herself"})
            before = rig.guests.rows.find("guest-0")
        operator.type("guests", "import")
        with operator.records() as rig:
            after = rig.guests.rows.find("guest-0")
            assert rig.guests.memory.profile_of("guest-0") == {
                "name": "Amira herself",
                "email": "guest0@example.com",
            }
        assert before is not None
        assert after is not None
        assert after.seen_at == before.seen_at


def test_it_waits_when_genesys_asks_for_it(start: Start) -> None:
    with start(people(5)) as operator:
        operator.genesys.faults.order(
            Door.IMPORT, Fault(status=429, retry_after=timedelta(seconds=1)), times=2
        )
        assert operator.type("guests", "import").out.startswith("1 page: 5 new")
        assert operator.genesys.faults.pending() == {}


def test_an_outage_keeps_what_was_taken_and_the_next_run_goes_on(start: Start) -> None:
    with start(people(30)) as operator:
        order = operator.genesys.faults.order
        order(Door.IMPORT, Fault(), times=2)
        order(Door.IMPORT, Fault(status=403), times=1)
        stopped = operator.type("guests", "import")
        assert stopped.code == 1
        assert stopped.out == "2 pages: 20 new, 0 known, 0 skipped, 0 failed\n"
        assert "goes on from here" in stopped.err
        done = operator.type("guests", "import")
        assert "going on from page 3" in done.err
        assert done.out == "3 pages: 30 new, 0 known, 0 skipped, 0 failed\n"
        assert "0 new, 30 known" in operator.type("guests", "import").out


def test_what_was_left_off_can_be_begun_anew(start: Start) -> None:
    with start(people(20)) as operator:
        operator.genesys.faults.order(Door.IMPORT, Fault())
        operator.genesys.faults.order(Door.IMPORT, Fault(status=403))
        operator.type("guests", "import")
        done = operator.type("guests", "import", "--anew")
        assert done.out == "2 pages: 10 new, 10 known, 0 skipped, 0 failed\n"


def test_a_door_that_is_not_there_is_a_fault_that_says_so(start: Start) -> None:
    with start(()) as operator:
        done = operator.type("guests", "import")
        assert done.code == 1
        assert "404" in done.err


def test_a_path_that_leads_elsewhere_is_refused(start: Start) -> None:
    with start(people(1), BFF_IMPORT_PATH="//evil.example/x") as operator:
        assert operator.type("guests", "import").code == 2


def test_ctrl_c_stops_it_between_two_guests_and_nothing_is_lost(
    start: Start, tmp_path: Path
) -> None:
    """A real process and a real signal, while a page is awaited."""
    with start(people(30)) as operator:
        order = operator.genesys.faults.order
        order(Door.IMPORT, Fault())
        order(Door.IMPORT, Fault(delay=timedelta(seconds=3)))
        with subprocess.Popen(
            [*COMMAND, "guests", "import"],
            env=bare(operator.env),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            until_page_two(operator, process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        assert out == "1 page: 10 new, 0 known, 0 skipped, 0 failed\n"
        assert "Traceback" not in err
        done = operator.type("guests", "import")
        assert "going on from page 2" in done.err
        assert "30 new" in done.out


def until_page_two(operator: Typist, process: "subprocess.Popen[str]") -> None:
    clock = SystemClock()
    deadline = clock.now() + timedelta(seconds=30)
    while operator.genesys.faults.pending() and clock.now() < deadline:
        assert process.poll() is None
        clock.sleep(timedelta(milliseconds=20))
    with erasure_rig(operator.folder, operator.url, clock=clock) as rig:
        assert rig.guests.rows.count() == 10
