"""Both shells of the guest socket, each with everything around it, turned by the same hands."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvloop
from flask import Flask
from guest_page import GuestPage, Jar
from redis_server import RedisServer

from bff.adapters.system import SystemClock, SystemEntropy
from bff.app import create_app
from bff.gateway.gateway_server import Gateway, GatewayPlan
from bff.guests.guest_house import GuestHouse, SocketRules
from bff.guests.guest_upgrade import UpgradeRules
from bff.ports import TokenSet
from bff.settings import Settings
from bff.signin.records import Person, SessionToken
from bff.signin.session_book import SignedIn
from bff.simulator.serving import LOOPBACK, Served
from bff.simulator.stage import BFF_HOST, Stage, StagePlan, raised
from bff.web import guest_socket
from bff.web.doorway import Services
from bff.wiring import build

PATH: Final = "/ws/guest"
DEADLINE_S: Final = 15


class Shell(StrEnum):
    """Who carries the socket."""

    FLASK = "flask"
    GATEWAY = "gateway"


@dataclass(slots=True)
class _Later:
    """Stands in for an application that needs to know its port before it is made."""

    app: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


class TurnedClock(SystemClock):
    """The wall clock, which a test may move, and stop for what has to happen in one moment."""

    def __init__(self) -> None:
        super().__init__()
        self._stands_at: datetime | None = None

    def now(self) -> datetime:
        stands_at = self._stands_at
        return super().now() if stands_at is None else stands_at

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Let no time pass while the block lasts."""
        self._stands_at = self.now()
        try:
            yield
        finally:
            self._stands_at = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellRig:
    """One shell, its stage, and its services."""

    shell: Shell
    stage: Stage
    services: Services
    clock: TurnedClock
    url: str
    drain: Callable[[], object] = field(repr=False)
    redis: RedisServer | None = None

    @property
    def house(self) -> GuestHouse:
        assert self.services.guests is not None
        return self.services.guests

    def page(self, jar: Jar | None = None, **options: Any) -> GuestPage:
        """Connect from a page of the brand."""
        options.setdefault("origin", self.stage.brand_url)
        return GuestPage(self.url, jar=jar, **options)

    def sign_in(self, jar: Jar, name: str = "amira") -> str:
        """Give a browser a session, as if it had signed in; return the session's key."""
        token, key = self.new_session(name)
        jar.cookies["__Host-bff"] = token
        return key

    def new_session(self, name: str = "amira") -> tuple[SessionToken, str]:
        here = self.services
        token = here.book.new_token()
        person = Person(
            provider="main",
            subject=name,
            pairwise=f"pairwise-of-{name}",
            claims={"email": f"{name}@example.com", "given_name": name.title()},
        )
        now = here.clock.now()
        signed = SignedIn(person=person, provider_sid=None, auth_time=now, acr=None)
        session = here.book.begin(token, signed)
        tokens = TokenSet(access_token="up", refresh_token=None, id_token=None, expires_at=now)
        here.vault.lock_away(session, tokens)
        return token, session.key

    @property
    def heard(self) -> list[str]:
        """What guests said, as Genesys knows it."""
        with self.stage.genesys.lock:
            return [entry.text for entry in self.stage.genesys.messaging.talk.heard]

    def heard_from(self, text: str) -> Any:
        """Return who said it, as Genesys knows them; None if they were anonymous."""
        with self.stage.genesys.lock:
            found = [e for e in self.stage.genesys.messaging.talk.heard if e.text == text]
        assert len(found) == 1, self.heard
        return found[0].identity

    def agent_says(self, text: str) -> None:
        genesys = self.stage.genesys
        with genesys.lock:
            genesys.hub.post(genesys.messaging.say(text))

    def cut_genesys(self) -> None:
        """Break every connection to web messaging."""
        genesys = self.stage.genesys
        with genesys.lock:
            genesys.hub.post(genesys.messaging.cut())

    def until(self, wanted: Callable[[], Any], what: str = "") -> None:
        """Wait for a condition that nothing announces."""
        nap, tries = threading.Event(), DEADLINE_S * 50
        while not wanted():
            tries -= 1
            assert tries, what or "it did not happen in time"
            nap.wait(0.02)


@contextmanager
def running_shell(
    shell: Shell,
    folder: Path,
    *,
    redis: RedisServer | None = None,
    rules: SocketRules | None = None,
    plan: dict[str, Any] | None = None,
    **changes: str,
) -> Iterator[ShellRig]:
    """Raise the stage, a BFF in front of it, and the shell; on a clock that can be turned."""
    clock, later = TurnedClock(), _Later()
    with ExitStack() as running:
        stage = running.enter_context(raised(StagePlan(), clock=clock, entropy=SystemEntropy()))
        served = running.enter_context(Served(later, host=BFF_HOST))
        url = f"http://{BFF_HOST}:{served.port}"
        genesys = stage.genesys
        discovery = f"{url}/op/.well-known/openid-configuration"
        genesys.integrate(replace(genesys.settings.integration, discovery_uri=discovery))
        store = redis.url if redis else f"sqlite:///{folder / 'guests.sqlite3'}"
        environment = {
            **stage.environment,
            "BFF_PUBLIC_URL": url,
            "BFF_PORT": str(served.port),
            "BFF_STORE_URL": store,
            **changes,
        }
        services = build(Settings.read(environment), clock=clock)
        running.callback(services.close)
        services = _turned(services, rules, plan or {})
        app = later.app = create_app(services)
        running.callback(_finished, app)
        if shell is Shell.FLASK:
            port = served.port
            drain: Callable[[], object] = partial(guest_socket.drain, app)
        else:
            port, drain = running.enter_context(_gateway(services))
        yield ShellRig(
            shell=shell,
            stage=stage,
            services=services,
            clock=clock,
            url=f"ws://{LOOPBACK}:{port}{PATH}",
            drain=drain,
            redis=redis,
        )


def _finished(app: Flask) -> None:
    guest_socket.drain(app)
    nap, lines = threading.Event(), app.extensions[guest_socket.EXTENSION]
    while lines._lines:
        nap.wait(0.01)


def _turned(services: Services, rules: SocketRules | None, plan: dict[str, Any]) -> Services:
    house = services.guests
    assert house is not None
    turned = replace(
        house, rules=rules or house.rules, plan=replace(house.plan, **plan) if plan else house.plan
    )
    return replace(services, guests=turned)


@contextmanager
def _gateway(services: Services) -> Iterator[tuple[int, Callable[[], object]]]:
    """Run a gateway on a loop of its own thread."""
    assert services.guests is not None
    site = services.site
    plan = GatewayPlan(
        house=services.guests,
        news=services.news,
        entropy=services.entropy,
        rules=UpgradeRules(origins=frozenset({site.public_url, *site.allowed_origins})),
        host=LOOPBACK,
        port=0,
    )
    there: queue.SimpleQueue[tuple[int, Callable[[], object]]] = queue.SimpleQueue()

    async def serve() -> None:
        gateway, loop = Gateway(plan), asyncio.get_running_loop()
        port = await gateway.listen()
        there.put((port, partial(loop.call_soon_threadsafe, gateway.go)))
        await gateway.serve()

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    port, go = there.get(timeout=DEADLINE_S)
    try:
        yield port, go
    finally:
        if thread.is_alive():
            with suppress(RuntimeError):
                go()
        thread.join(2 * DEADLINE_S)
        assert not thread.is_alive(), "the gateway does not stop"
