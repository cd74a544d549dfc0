"""Redis fails over and loses the last write: an old refresh token is back. No loop, no limbo."""

from datetime import timedelta
from pathlib import Path

from bff_rig import SESSION, Browser, environment, error_of, running_bff
from redis import Redis
from redis_server import RedisServer

from bff.adapters.system import SystemClock
from bff.app import create_app
from bff.settings import Settings
from bff.wiring import build

ALMOST_A_TOKENS_LIFE = timedelta(minutes=14, seconds=30)


def caught_up(master: RedisServer, replica: RedisServer) -> None:
    """Wait until the replica has everything that the master was told."""
    with Redis.from_url(master.url) as leader:
        leader.set("marker", "1")
        assert leader.wait(1, 5000) == 1
    with Redis.from_url(replica.url) as follower:
        assert follower.get("marker") == b"1"


def test_a_lost_write_ends_the_session_once_and_the_next_sign_in_works(tmp_path: Path) -> None:
    clock = SystemClock()
    with (
        RedisServer() as master,
        RedisServer("--replicaof", "127.0.0.1", str(master.port)) as replica,
        running_bff(tmp_path, provider={"clock": clock}, BFF_STORE_URL=master.url) as bff,
    ):
        browser = bff.browser()
        browser.sign_in()
        caught_up(master, replica)
        # From here on the replica hears nothing more: what is written now will be lost.
        with Redis.from_url(replica.url) as promoted:
            promoted.replicaof("NO", "ONE")
        clock.shift = ALMOST_A_TOKENS_LIFE
        assert browser.post("/messenger/code").status_code == 200
        assert bff.provider.provider.tally["refreshes_redeemed"] == 1

        master.kill()
        settings = Settings.read({**environment(bff.provider.url), "BFF_STORE_URL": replica.url})
        services = build(settings, clock=clock)
        survivor = Browser(create_app(services))
        survivor.visitor = browser.visitor
        survivor.set_cookie(SESSION, browser.cookie() or "")
        answers = [survivor.post("/messenger/code") for _ in range(4)]
        asked = bff.provider.provider.tally["token"]
        survivor.get(survivor.at_provider(survivor.start()))
        again = survivor.post("/messenger/code")
        services.close()

    assert {error_of(answer) for answer in answers} == {"login_required"}
    # The sign-in, the renewal whose result was lost, and one attempt with what came back.
    assert asked == 3
    assert again.status_code == 200
