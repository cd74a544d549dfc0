"""`messenger-bff serve` and `messenger-bff gateway` as processes, and everything around them."""

import logging
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, Self

from command_rig import COMMAND, bare
from guest_page import GuestPage, Jar
from redis_server import free_port
from wire_browser import WireBrowser

from bff.adapters.system import SystemClock, SystemEntropy
from bff.simulator.genesys_sessions import GuestSession
from bff.simulator.serving import LOOPBACK
from bff.simulator.stage import Stage, StagePlan, raised

PATH: Final = "/ws/guest"
LIMIT_S: Final = 30
NAP_S: Final = 0.02

figures: Final = logging.getLogger("figures")
"""What was measured; `pytest -rP` shows it."""
figures.setLevel(logging.INFO)


def until(wanted: Callable[[], Any], what: str, *, within_s: float = LIMIT_S) -> None:
    """Wait for a condition that nothing announces."""
    nap, tries = threading.Event(), int(within_s / NAP_S)
    while not wanted():
        tries -= 1
        assert tries > 0, what
        nap.wait(NAP_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestProcess:
    """One of the two commands, running."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    log_file: Path

    @property
    def url(self) -> str:
        return f"ws://{LOOPBACK}:{self.port}{PATH}"

    @property
    def log(self) -> str:
        """Everything it wrote to stdout and stderr so far."""
        return self.log_file.read_text("utf-8")

    @property
    def is_clean(self) -> bool:
        """Say whether it complained of nothing."""
        return re.search(r"Traceback|Warning|WARNING|\[ERROR\]|Error:", self.log) is None

    def told(self, sign: signal.Signals) -> Self:
        """Send a signal, as a supervisor does: to the process that it started."""
        self.process.send_signal(sign)
        return self

    def gone(self, within_s: float = LIMIT_S) -> int:
        """Wait until it is gone; return its exit code."""
        return self.process.wait(within_s)

    def resident_kib(self) -> int:
        """Return the memory of the process and its workers."""
        return sum(_resident_kib(pid) for pid in _family(self.process.pid))


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSite:
    """A stage, and the environment that the processes in front of it share."""

    stage: Stage
    folder: Path
    env: dict[str, str] = field(repr=False)

    def with_settings(self, **changes: str) -> "GuestSite":
        return replace(self, env={**self.env, **changes})

    @contextmanager
    def serving(self, name: str = "serve") -> Iterator[GuestProcess]:
        """Run `serve` at the address that the stage knows."""
        with self._running("serve", name, self.stage.bff_port) as process:
            yield process

    @contextmanager
    def gateway(self, name: str = "gateway") -> Iterator[GuestProcess]:
        """Run a `gateway` somewhere."""
        port = free_port()
        with self._running("gateway", name, port, "--port", str(port)) as process:
            yield process

    @contextmanager
    def _running(self, command: str, name: str, port: int, *more: str) -> Iterator[GuestProcess]:
        log_file = self.folder / f"{name}.log"
        with (
            log_file.open("wb") as log,
            subprocess.Popen(
                [*COMMAND, command, *more],
                env=bare(self.env),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as process,
        ):
            running = GuestProcess(name=name, port=port, process=process, log_file=log_file)
            try:
                until(lambda: _is_ready(running), f"{name} is not ready")
                yield running
            finally:
                _end(process)

    def page(self, at: GuestProcess, jar: Jar | None = None) -> GuestPage:
        """Connect from a page of the brand."""
        return GuestPage(at.url, origin=self.stage.brand_url, jar=jar)

    def signed_in(self, person: str = "amira") -> tuple[WireBrowser, Jar]:
        """Sign in at `serve` through the provider; return the browser, and its cookies."""
        browser = WireBrowser(self.stage.bff_url, origin=self.stage.brand_url)
        browser.sign_in(person)
        return browser, Jar(dict(browser.cookies))

    # What Genesys knows

    @property
    def heard(self) -> list[str]:
        """What guests said, in the order in which Genesys heard it."""
        with self.stage.genesys.lock:
            return [entry.text for entry in self.stage.genesys.messaging.talk.heard]

    def heard_from(self, text: str) -> Any:
        """Return who said it, as Genesys knows them; None if they were anonymous."""
        with self.stage.genesys.lock:
            found = [e for e in self.stage.genesys.messaging.talk.heard if e.text == text]
        assert len(found) == 1, self.heard
        return found[0].identity

    def session_of(self, text: str) -> GuestSession:
        """Return the session in which this was said, exactly once."""
        with self.stage.genesys.lock:
            found = [e for e in self.stage.genesys.messaging.talk.heard if e.text == text]
            assert len(found) == 1, [e.text for e in found]
            session = self.stage.genesys.messaging.book.by_id(found[0].session_id)
        assert session is not None
        return session

    def agent_says(self, session: GuestSession, *texts: str) -> None:
        """Let the agent speak in one conversation."""
        genesys = self.stage.genesys
        with genesys.lock:
            for text in texts:
                genesys.hub.post(genesys.messaging.talk.speak(session, text))


@contextmanager
def guest_site(folder: Path, *, store_url: str = "") -> Iterator[GuestSite]:
    """Raise a stage for processes on one Redis, or for `serve` alone on a file."""
    with raised(StagePlan(), clock=SystemClock(), entropy=SystemEntropy()) as stage:
        store = store_url or f"sqlite:///{folder / 'guests.sqlite3'}"
        yield GuestSite(
            stage=stage, folder=folder, env={**stage.environment, "BFF_STORE_URL": store}
        )


def _is_ready(running: GuestProcess) -> bool:
    assert running.process.poll() is None, running.log
    asked = HTTPConnection(LOOPBACK, running.port, timeout=1)
    try:
        asked.request("GET", "/readyz")
        return asked.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        asked.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [pid, *(other for child in children for other in _family(int(child)))]


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])
