"""`messenger-bff demo`: the whole path on one machine, behind one address."""

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import requests

from bff.adapters.http_client import http_session
from bff.adapters.system import SystemClock, SystemEntropy
from bff.errors import SettingsError
from bff.settings import inherited
from bff.simulator.stage import Stage, StagePlan, raised

FIRST_PORT: Final = 8410
START_LIMIT: Final = timedelta(seconds=30)
STOP_LIMIT_S: Final = 15
LOOK_PAUSE: Final = timedelta(milliseconds=100)

PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")

BANNER: Final = """
Messenger BFF: sign in once, chat as yourself.

  Open   {url}/          the Messenger, signed in
         {url}/support   a chat of the shop's own
         {url}/thread    a plugin with a forum thread's faults

  Watch  {bff}/inspector   what happens, and what is wrong with it

Genesys and the sign-in service are stand-ins on this machine; every token, code, signature and
socket between the parts is real. Sign in as one of the sample customers: a click is enough.
{pace}
Ctrl-C ends the demo and forgets everything.
"""


def run_demo(*, fast: bool, check: bool, passthrough: bool = False) -> int:
    """Run until interrupted, or drive it once; return the exit code."""
    stop = threading.Event()
    clock = SystemClock()
    plan = StagePlan(
        fast=fast or check,
        first_port=0 if check else FIRST_PORT,
        agent_delay=timedelta(milliseconds=600),
        passthrough=passthrough,
        inspected=not check,
    )
    with raised(plan, clock=clock, entropy=SystemEntropy()) as stage, served_bff(stage) as bff:
        if check:
            from bff.demo_check import drive  # noqa: PLC0415 - needs Playwright, the demo does not

            return drive(stage, passthrough=passthrough)
        pace = "The Genesys JWT lives 10 s, access tokens 20 s.\n" if fast else ""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        print(BANNER.format(url=stage.brand_url, bff=stage.bff_url, pace=pace), flush=True)
        while not stop.wait(1):
            if bff.poll() is not None:
                print("The service has stopped unexpectedly.", file=sys.stderr)
                return 1
        print("\nThe demo is over.")
        return 0


@contextmanager
def served_bff(
    stage: Stage, changes: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the production server for a stage, on a store that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="messenger-bff-") as folder:
        environment = {
            **inherited(PASSED_ON),
            "BFF_STORE_URL": f"sqlite:///{Path(folder) / 'demo.sqlite3'}",
            "BFF_LOG_LEVEL": "WARNING",
            **stage.environment,
            **(changes or {}),
        }
        command = [sys.executable, "-m", "bff.cli", "serve"]
        with subprocess.Popen(  # noqa: S603 - our own command
            command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            try:
                wait_until_ready(stage.bff_url, process)
                yield process
            finally:
                _stop(process)


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return once the service answers. Raises SettingsError if it does not."""
    clock = SystemClock()
    deadline = clock.now() + START_LIMIT
    http = http_session()
    while clock.now() < deadline and process.poll() is None:
        try:
            if http.get(f"{url}/readyz", timeout=1).ok:
                return
        except requests.RequestException:
            clock.sleep(LOOK_PAUSE)
    raise SettingsError(f"the service at {url} did not start")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
