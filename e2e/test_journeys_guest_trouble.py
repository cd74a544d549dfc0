"""A chat on a bad day: no network, and a server that leaves. Nothing is lost, nothing doubled."""

from playwright.sync_api import expect
from world import World


def _heard(world: World) -> list[str]:
    return [entry["text"] for entry in world.heard()]


def test_without_a_network_nothing_is_lost_on_either_side(own: World) -> None:
    chat = own.chat()
    chat.say("Before the tunnel")

    own.context.set_offline(True)
    chat.wait_until("paused")
    chat.write("In the tunnel")
    chat.write("Still in the tunnel")
    chat.wait_for_fate("Still in the tunnel", "sending")
    expect(chat.part("chat-banner")).to_contain_text("interrupted")
    genesys = own.stage.genesys
    with genesys.lock:
        genesys.hub.post(genesys.messaging.say("Are you still there?"))
    own.context.set_offline(False)

    chat.wait_for_fate("In the tunnel", "delivered")
    chat.wait_for_fate("Still in the tunnel", "delivered")
    chat.wait_for_answer("Are you still there")
    chat.wait_until("open")
    expect(chat.part("chat-banner")).to_be_hidden()
    assert _heard(own) == ["Before the tunnel", "In the tunnel", "Still in the tunnel"]
    assert chat.message("Are you still there?", author="them").count() == 1
    assert chat.message("Before the tunnel").count() == 1


def test_a_restart_of_the_server_is_a_pause(own: World) -> None:
    chat = own.chat()
    chat.say("Before the restart")

    own.bff.restart()
    chat.write("Right after the restart")
    chat.wait_for_fate("Right after the restart", "delivered")

    assert _heard(own) == ["Before the restart", "Right after the restart"]
    assert own.conversations() == 1
    assert chat.message("Before the restart").count() == 1
