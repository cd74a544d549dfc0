"""`messenger-bff gateway` as a process: what it refuses, how it goes, how another takes over."""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_rig import changed, run_command
from gateway_process import GatewayProcess, gateway_process
from redis_server import RedisServer, free_port

from bff import gateway_command
from bff.adapters.system import SystemClock, SystemEntropy
from bff.gateway.gateway_server import GatewayPlan
from bff.settings import Settings
from bff.simulator.stage import Stage, StagePlan, raised


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A stage with Redis, and the environment of every gateway in front of it."""

    stage: Stage
    folder: Path
    env: dict[str, str] = field(repr=False)

    @property
    def heard(self) -> list[str]:
        with self.stage.genesys.lock:
            return [entry.text for entry in self.stage.genesys.messaging.talk.heard]


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    with (
        RedisServer() as redis,
        raised(StagePlan(), clock=SystemClock(), entropy=SystemEntropy()) as stage,
    ):
        env = {**stage.environment, "BFF_STORE_URL": redis.url, "BFF_GATEWAY_PORT": "0"}
        yield Beside(stage=stage, folder=tmp_path, env=env)


@pytest.fixture
def running(beside: Beside) -> Iterator[GatewayProcess]:
    with gateway_process(beside.env, beside.folder) as process:
        yield process


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_told_to_go_it_finishes_what_is_in_flight_and_sends_the_page_elsewhere(
    beside: Beside, running: GatewayProcess, sign: int
) -> None:
    with running.page() as page, running.page() as idle:
        idle.open()
        page.open()
        page.say("warm up")
        page.until("message_delivered", seq=1)
        for number in range(3):
            page.say(f"on its way {number}")
        page.until("message_accepted", seq=4)
        running.stop(sign)
        page.until("message_delivered", seq=4)
        assert page.until_closed() == (1012, "restart")
        assert idle.until_closed() == (1012, "restart")
        assert running.ended() == 0
    assert beside.heard == ["warm up", *(f"on its way {number}" for number in range(3))]
    assert "Traceback" not in running.log
    assert "Warning" not in running.log


def test_it_does_the_rounds_that_serve_does(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran out, was cut short or could not be told waits for whichever process there is."""
    seen: set[str] = set()

    def looked_at(plan: GatewayPlan, *, ready: object) -> None:
        del ready
        seen.update(job.name for job in plan.background.health())

    monkeypatch.setattr(gateway_command, "run_gateway", looked_at)
    gateway_command.serve_guests(Settings.read(beside.env))

    assert {"revocations", "session-ends"} <= seen


def test_it_says_where_it_listens_and_whom_it_serves(
    beside: Beside, running: GatewayProcess
) -> None:
    assert running.said.startswith("messenger-bff gateway: guest sockets of ")
    assert beside.stage.bff_url in running.said
    assert "1000 at most" in running.said


def test_pages_of_a_gateway_that_is_killed_come_back_on_another(beside: Beside) -> None:
    port = str(free_port())
    shared = ("--port", port)
    with gateway_process(beside.env, beside.folder, *shared, name="one") as one:
        page = one.page()
        created = page.open()
        page.say("before")
        page.until("message_delivered", seq=1)
        with gateway_process(beside.env, beside.folder, *shared, name="two") as two:
            one.stop(signal.SIGKILL)
            assert page.until_closed()[0] in {None, 1006}
            one.ended()
            began = time.monotonic()
            with two.page(page.jar) as again:
                resumed = again.open(encryptedSessionId=created["encryptedSessionId"])
                took = time.monotonic() - began
                again.until_text("before")
                again.say("after")
                again.until("message_delivered", seq=1)
    assert resumed["resumed"]
    assert resumed["guestId"] == created["guestId"]
    assert took < 1
    assert beside.heard == ["before", "after"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"BFF_STORE_URL": "sqlite:///store.sqlite3"}, ["BFF_STORE_URL is a file", "redis://"]),
        ({"BFF_GENESYS_DEPLOYMENT_ID": ""}, ["BFF_GENESYS_DEPLOYMENT_ID is missing"]),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(
    beside: Beside, changes: dict[str, str], said: list[str]
) -> None:
    outcome = run_command("gateway", folder=beside.folder, env=changed(beside.env, changes))

    assert outcome.code == 2
    for words in said:
        assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_a_port_that_is_taken_is_named(beside: Beside) -> None:
    # Not by a gateway: those share.
    taken = beside.stage.genesys_url.rsplit(":", 1)[1].rstrip("/")
    outcome = run_command("gateway", "--port", taken, folder=beside.folder, env=beside.env)

    assert outcome.code == 2
    assert taken in outcome.err
    assert "Traceback" not in outcome.err


def test_the_most_talkative_log_holds_no_secret(beside: Beside) -> None:
    env = changed(beside.env, {"BFF_LOG_LEVEL": "DEBUG"})
    with gateway_process(env, beside.folder) as running, running.page() as page:
        created = page.open()
        page.say("words of a customer")
        page.until("message_delivered", seq=1)
        secrets = [
            created["encryptedSessionId"],
            page.jar.cookies["__Host-bff-guest"],
            beside.env["BFF_MASTER_KEY"],
            "words of a customer",
        ]
        running.stop()
        running.ended()
        log = running.log
    with beside.stage.genesys.lock:
        sessions = beside.stage.genesys.messaging.book.all()
        tokens = [token for session in sessions for token in session.tokens]
    assert tokens
    for secret in [*secrets, *tokens]:
        assert secret not in log
