"""The command `messenger-bff` as a process of its own, with an environment that is all it has."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import requests
from bff_rig import CLIENT, environment
from provider_visitor import ProviderRig, running_provider
from redis_server import free_port

from bff.adapters.http_client import http_session
from bff.adapters.system import SystemClock
from bff.simulator.provider_settings import ProviderClient

LIMIT_S: Final = 60
PAUSE: Final = timedelta(milliseconds=50)
COMMAND: Final = (sys.executable, "-m", "bff.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a printed table, without its head."""
        return [re.split(r"  +", line.strip()) for line in self.out.splitlines()[1:]]


def run_command(*arguments: str, folder: Path, env: Mapping[str, str]) -> Outcome:
    """Run one command to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=bare(env),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A provider that knows where the service will be, and the environment of that service."""

    url: str
    provider: ProviderRig
    folder: Path
    env: dict[str, str] = field(repr=False)

    def command(self, *arguments: str, **changes: str) -> Outcome:
        """Run an operator's command with the service's own settings, some of them changed."""
        return run_command(*arguments, folder=self.folder, env=changed(self.env, changes))

    def with_settings(self, **changes: str) -> "Site":
        """Return the same site with other settings; an empty text removes one."""
        return replace(self, env=changed(self.env, changes))


@contextmanager
def brand_site(folder: Path, *, store_url: str = "", **changes: str) -> Iterator[Site]:
    """Run a provider on the machine's clock, for a service on a port that is free now."""
    port = free_port()
    url = f"http://auth.brand.localhost:{port}"
    with running_provider(client=client_at(url), clock=SystemClock()) as provider:
        addresses = {"BFF_PUBLIC_URL": url, "BFF_HOST": "127.0.0.1", "BFF_PORT": str(port)}
        store = {"BFF_STORE_URL": store_url or f"sqlite:///{folder / 'store.sqlite3'}"}
        env = environment(provider.url, **{**addresses, **store, **changes})
        yield Site(url=url, provider=provider, folder=folder, env=env)


def client_at(url: str) -> ProviderClient:
    """Return how the service at `url` is registered at its provider."""
    return replace(
        CLIENT,
        redirect_uris=(f"{url}/auth/callback",),
        post_logout_redirect_uris=(f"{url}/auth/logged-out",),
        backchannel_logout_uri=f"{url}/auth/backchannel-logout",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """`messenger-bff serve`, running."""

    url: str
    process: "subprocess.Popen[bytes]"
    log_file: Path

    @property
    def log(self) -> str:
        """Everything it wrote to stderr so far."""
        return self.log_file.read_text("utf-8")

    def stop(self) -> int:
        """Ask it to stop, as a supervisor does, and wait."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_S)


@contextmanager
def serving(
    site: Site, *arguments: str, name: str = "serve", command: Sequence[str] = COMMAND
) -> Iterator[Serving]:
    """Serve until the block ends; whatever it says on stderr is kept."""
    log_file = site.folder / f"{name}.log"
    with (
        log_file.open("wb") as stderr,
        subprocess.Popen(
            [*command, "serve", *arguments],
            env=bare(site.env),
            cwd=site.folder,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        ) as process,
    ):
        running = Serving(url=site.url, process=process, log_file=log_file)
        try:
            _wait_until_ready(running)
            yield running
        finally:
            _end(process)


def _wait_until_ready(running: Serving) -> None:
    clock = SystemClock()
    deadline = clock.now() + timedelta(seconds=LIMIT_S)
    with http_session() as http:
        while clock.now() < deadline and running.process.poll() is None:
            try:
                if http.get(f"{running.url}/readyz", timeout=1).ok:
                    return
            except requests.RequestException:
                clock.sleep(PAUSE)
    raise AssertionError(f"serve is not ready:\n{running.log}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        # Its workers as well: they are in the session that was started for it.
        os.killpg(process.pid, signal.SIGKILL)


def changed(env: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """Return `env` with `changes`; an empty text removes a variable."""
    return {name: value for name, value in {**env, **changes}.items() if value}


def bare(env: Mapping[str, str]) -> dict[str, str]:
    """Nothing of this process but what finds programs. Every warning is written down."""
    kept: dict[str, Any] = {
        name: os.environ[name]  # noqa: TID251 - a child's own
        for name in ("PATH", "PYTHONPATH", "HOME", "TMPDIR", "COVERAGE_PROCESS_START")
        if name in os.environ  # noqa: TID251 - a child's own
    }
    return {**kept, "PYTHONWARNINGS": "default", **env}
