"""The stand-in's platform API, watched: it counts, and answers as a test has ordered."""

import io
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs

from hand_clock import HandClock
from memory_store import MemoryStore
from ring_rigs import key_ring
from werkzeug.wrappers import Request, Response

from bff.adapters.genesys_cloud import GenesysCloud, PlatformRegistration
from bff.adapters.system import SystemEntropy
from bff.guests.back_off import Patience
from bff.guests.platform_client import PlatformClient
from bff.guests.provisioning import GUESTS_PATH
from bff.ports import Clock, Foundation, GenesysHosts, PlatformRequest, Store
from bff.simulator.genesys_app import create_genesys
from bff.simulator.genesys_errors import PlatformRefusal
from bff.simulator.genesys_platform_tokens import PlatformTokens
from bff.simulator.genesys_settings import GenesysSettings, OidcIntegration
from bff.simulator.genesys_settings import PlatformClient as Known
from bff.simulator.genesys_state import GenesysState, genesys_of
from bff.simulator.serving import Served

TOKEN_PATH: Final = "/oauth/token"
THINGS: Final = "/api/v2/things"
PLATFORM: Final = Known(client_id="platform", client_secret="canary-of-the-platform-client")
GET_THINGS: Final = PlatformRequest(method="GET", path=THINGS)
POST_THINGS: Final = PlatformRequest(method="POST", path=THINGS, body={"a": 1})
LONG_TIME_S: Final = 20.0


class NotingClock(HandClock):
    """Waiting turns it, and is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[timedelta] = []

    def sleep(self, duration: timedelta) -> None:
        self.waits.append(duration)
        super().sleep(duration)


class HighestEntropy(SystemEntropy):
    """Draws the highest number there is, so that a wait with jitter is as long as it can be."""

    def bytes(self, count: int) -> bytes:
        return b"\xff" * count if count == 6 else super().bytes(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """What to answer instead; `gate` holds it back, `pieces` come as they are."""

    status: int = 200
    body: Mapping[str, Any] | str = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None
    pieces: Callable[[], Iterable[bytes]] | None = None

    def response(self) -> Response:
        if self.gate is not None:
            assert self.gate.wait(LONG_TIME_S)
        if self.pieces is not None:
            return Response(self.pieces(), self.status, dict(self.headers))
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return Response(text, self.status, dict(self.headers), mimetype="application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    authorization: str
    cookie: str
    form: Mapping[str, list[str]]
    json: Any


class WatchedPlatform:
    """WSGI around the stand-in: what is not scripted goes through, or is a thing of ours."""

    def __init__(self, genesys: Callable[..., Iterable[bytes]], tokens: PlatformTokens) -> None:
        self.seen: list[Seen] = []
        self.arrived = threading.Event()
        self._genesys = genesys
        self._scripts: defaultdict[str, deque[Scripted]] = defaultdict(deque)
        self._tokens = tokens
        self._lock = threading.Lock()

    def script(self, path: str, *answers: Scripted) -> None:
        self._scripts[path].extend(answers)

    def revoke_all(self) -> None:
        """Let every token that was given so far be refused, before its time."""
        self._tokens.revoke_all()

    def count(self, path: str) -> int:
        return sum(one.path == path for one in self.seen)

    def bearers(self, path: str) -> list[str]:
        """Return the tokens that came to `path`, in order."""
        return [one.authorization.removeprefix("Bearer ") for one in self.seen if one.path == path]

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        request = Request(environ)
        raw = request.get_data()
        with self._lock:
            self.seen.append(_seen(request, raw))
            scripted = self._scripts[request.path]
            answer = scripted.popleft() if scripted else None
        self.arrived.set()
        if answer is not None:
            return answer.response()(environ, start)
        if request.path == TOKEN_PATH:
            return self._genesys({**environ, "wsgi.input": io.BytesIO(raw)}, start)
        return self._thing(request)(environ, start)

    def _thing(self, request: Request) -> Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            self._tokens.check(token)
        except PlatformRefusal as refused:
            return Scripted(
                status=refused.status, body=refused.body("c-1"), headers=refused.headers()
            ).response()
        if request.path == GUESTS_PATH:
            return Scripted(body=GUEST_ANSWER).response()
        return Scripted(body={"things": 7}).response()


GUEST_ANSWER: Final = {
    "id": "guest-1",
    "token": "canary-of-the-guest",
    "channelType": "webchat",
    "selfUri": f"{GUESTS_PATH}/guest-1",
}


def _seen(request: Request, raw: bytes) -> Seen:
    is_json = request.mimetype == "application/json"
    return Seen(
        method=request.method,
        path=request.path,
        authorization=request.headers.get("Authorization", ""),
        cookie=request.headers.get("Cookie", ""),
        form={} if is_json else parse_qs(raw.decode()),
        json=json.loads(raw) if is_json and raw else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRig:
    """A served platform and a client of it."""

    watched: WatchedPlatform
    stand_in: GenesysState
    url: str
    clock: Any
    store: Store
    foundation: Foundation
    registration: PlatformRegistration
    client: PlatformClient

    def another_client(self) -> PlatformClient:
        """Return a client as another process would have it, on the same store."""
        cloud = GenesysCloud(self.registration, clock=self.clock)
        return PlatformClient(self.foundation, platform=cloud)

    @property
    def token_requests(self) -> int:
        return self.watched.count(TOKEN_PATH)


def foundation_for(store: Store, clock: Clock) -> Foundation:
    return Foundation(
        store=store, sealer=key_ring(store, clock), clock=clock, entropy=HighestEntropy()
    )


def registration_at(url: str, **changes: Any) -> PlatformRegistration:
    hosts = GenesysHosts(login_url=url, api_url=url, cdn_url=url, messaging_url=url)
    return PlatformRegistration(
        **{
            "hosts": hosts,
            "client_id": PLATFORM.client_id,
            "client_secret": PLATFORM.client_secret,
            **changes,
        }
    )


def client_at(
    url: str, clock: Clock, *, patience: Patience | None = None, **changes: Any
) -> PlatformClient:
    """Return a client on an empty store of its own."""
    cloud = GenesysCloud(registration_at(url, **changes), clock=clock)
    foundation = foundation_for(MemoryStore(clock), clock)
    return PlatformClient(foundation, platform=cloud, patience=patience)


@contextmanager
def running_platform(
    *,
    clock: Clock | None = None,
    patience: Patience | None = None,
    token_life: timedelta = timedelta(days=1),
    **registration: Any,
) -> Iterator[PlatformRig]:
    """Serve the watched stand-in on loopback."""
    turned = clock or NotingClock()
    nobody = OidcIntegration(
        discovery_uri="http://idp.localhost/", client_id="-", client_secret="-"
    )
    known = Known(
        client_id=PLATFORM.client_id, client_secret=PLATFORM.client_secret, token_life=token_life
    )
    settings = GenesysSettings(integration=nobody, allowed_domains=(), platform_clients=(known,))
    app = create_genesys(settings, clock=turned, entropy=SystemEntropy())
    watched = WatchedPlatform(app, genesys_of(app).platform_tokens)
    store = MemoryStore(turned)
    foundation = foundation_for(store, turned)
    with Served(watched, host="genesys.localhost") as served:
        ours = registration_at(served.url, **registration)
        cloud = GenesysCloud(ours, clock=turned)
        yield PlatformRig(
            watched=watched,
            stand_in=genesys_of(app),
            url=served.url,
            clock=turned,
            store=store,
            foundation=foundation,
            registration=ours,
            client=PlatformClient(foundation, platform=cloud, patience=patience),
        )
