"""A BFF in a process of its own, on a store that it shares with others; it can be killed."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import requests
from bff_rig import CSRF, SESSION
from redis_server import free_port

from bff.adapters.http_client import http_session
from bff.adapters.system import SystemClock
from bff.app import create_app
from bff.ports import IdentityProvider, TokenSet
from bff.settings import Settings
from bff.simulator.serving import Served
from bff.wiring import build

START_LIMIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class BffProcess:
    """A running one."""

    url: str
    process: BaseProcess

    def post(self, path: str, cookie: str) -> requests.Response:
        """Post as the page's script does, with a session cookie."""
        with http_session() as http:
            return http.post(
                self.url + path,
                headers={**CSRF, "Cookie": f"{SESSION}={cookie}"},
                timeout=60,
            )

    def join(self) -> int | None:
        """Wait until it is gone; return its exit code."""
        self.process.join(START_LIMIT_S)
        return self.process.exitcode


@contextmanager
def bff_process(
    environment: Mapping[str, str], *, ahead: timedelta, dies_before_save: bool = False
) -> Iterator[BffProcess]:
    """Start one whose clock is `ahead`; it may be told to die between renewal and save."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    port = free_port()
    process = context.Process(
        target=_serve, args=(dict(environment), port, ahead, dies_before_save, theirs)
    )
    process.start()
    try:
        assert ours.poll(START_LIMIT_S), "the process did not start"
        yield BffProcess(url=ours.recv(), process=process)
    finally:
        process.kill()
        process.join()
        ours.close()
        theirs.close()


class _FatalProvider:
    """Spends the refresh token for real, and kills its process before anybody can save."""

    def __init__(self, real: IdentityProvider) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def renew(self, tokens: TokenSet) -> TokenSet:
        self._real.renew(tokens)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def _serve(
    environment: dict[str, str],
    port: int,
    ahead: timedelta,
    dies_before_save: bool,
    pipe: Connection,
) -> None:
    clock = SystemClock()
    clock.shift = ahead
    services = build(Settings.read(environment), clock=clock)
    if dies_before_save:
        vault = services.vault
        vault._providers = {
            name: _FatalProvider(provider)  # type: ignore[misc]  # hands on what it does not do
            for name, provider in vault._providers.items()
        }
    with Served(create_app(services), port=port) as served:
        pipe.send(served.url)
        signal.sigwait({signal.SIGTERM})
