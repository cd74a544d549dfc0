"""Close it, come back: the conversation is there, for the browser whose it was."""

from support_page import SupportPage
from world import World


def test_who_closes_the_page_and_comes_back_finds_the_conversation(own: World) -> None:
    first = own.chat()
    first.say("Please keep this in mind")
    first.wait_for_answer("looking into it")
    first.page.close()
    own.records_settled()

    again = own.chat()

    again.message("Please keep this in mind").wait_for()
    again.wait_for_answer("looking into it")
    again.say("I am back")
    assert own.conversations() == 1


def test_another_profile_on_the_same_machine_sees_nothing_of_it(own: World) -> None:
    first = own.chat()
    first.say("For my eyes only")
    device = first.storage()["shop.device"]
    first.page.close()
    own.records_settled()

    other = own.another_profile()
    try:
        page = other.new_page()
        # Even if it knew the name of the device, which is no secret.
        page.add_init_script(f"localStorage.setItem('shop.device', '{device}')")
        stranger = SupportPage(page, own.stage.brand_url).visit()
        stranger.say("Who was here before me?")
        assert stranger.lines()[:1] == ["Who was here before me?"]
        assert "For my eyes only" not in stranger.lines()
    finally:
        other.close()
    assert own.conversations() == 2
