"""The gateway that carries a chat is killed, or leaves; the page goes on at the other one."""

import signal
from pathlib import Path

from front_proxy import FrontProxy
from guest_processes import guest_site
from playwright.sync_api import Browser
from redis_server import RedisServer, free_port
from support_page import SupportPage


def test_a_chat_survives_its_gateways(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context()
    with RedisServer() as redis, guest_site(tmp_path, store_url=redis.url) as plain:
        site = plain.with_settings(BFF_PORT=str(free_port()))
        service_at = int(site.env["BFF_PORT"])
        with (
            FrontProxy(port=site.stage.bff_port, service_at=service_at) as front,
            site.serving(),
            site.gateway("first") as first,
            site.gateway("second") as second,
            site.gateway("third") as third,
        ):
            front.guests_at = first.port
            chat = SupportPage(context.new_page(), site.stage.brand_url).visit()
            chat.say("At the first")

            front.guests_at = second.port
            first.told(signal.SIGKILL).gone()
            chat.write("While the first is killed")
            chat.wait_for_fate("While the first is killed", "delivered")

            front.guests_at = third.port
            second.told(signal.SIGTERM)
            chat.write("While the second leaves")
            chat.wait_for_fate("While the second leaves", "delivered")

            texts = ["At the first", "While the first is killed", "While the second leaves"]
            assert site.heard == texts
            assert [chat.message(text).count() for text in texts] == [1, 1, 1]
            assert second.gone() == 0
            context.close()
