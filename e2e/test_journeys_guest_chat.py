"""A visitor chats on the guest socket: first anonymous, then as who they are."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from world import World


def test_a_visitor_chats_without_an_account(own: World) -> None:
    chat = own.chat()

    chat.say("Do you sell moth bags?")

    chat.wait_for_answer("looking into it")
    heard = own.heard()
    assert [(entry["text"], entry["identity"]) for entry in heard] == [
        ("Do you sell moth bags?", None)
    ]
    assert chat.part("chat-identity").inner_text().startswith("You are chatting as a guest")
    assert chat.violations == []
    kept = chat.storage()
    names = sorted(name.partition(":")[0] for name in kept)
    assert names == ["cookie", "messenger-guest", "shop.device"]
    assert kept["cookie"] == ""


def test_the_keyboard_is_enough(own: World) -> None:
    chat = own.chat()
    keys = chat.page.keyboard
    field = chat.page.get_by_role("textbox", name="Your message")

    field.focus()
    keys.insert_text("x" * 5000)
    keys.press("Enter")
    expect(chat.page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    keys.press("Control+A")
    keys.type("One line")
    keys.press("Shift+Enter")
    keys.type("and another")
    keys.press("Enter")

    chat.wait_for_fate("One line\nand another", "delivered")
    expect(field).to_be_focused()
    expect(chat.page.get_by_role("log", name="Messages")).to_contain_text("and another")
    chat.part("chat-end").focus()
    keys.press("Enter")
    chat.wait_until("ended")
    chat.page.get_by_role("button", name="Start a new chat").press("Enter")
    chat.wait_until("open")
    chat.say("Another conversation")
    assert [entry["text"] for entry in own.heard()] == [
        "One line\nand another",
        "Another conversation",
    ]
    assert own.conversations() == 2
    assert chat.lines()[:1] == ["Another conversation"]


def test_sign_in_in_the_middle_of_a_conversation_loses_no_line(own: World) -> None:
    chat = own.chat()
    chat.say("Where is my order?")
    chat.wait_for_answer("arrives tomorrow")
    before = chat.lines()

    chat.sign_in()
    own.provider.sign_in(chat.page, own.provider.first)
    chat.page.wait_for_url(own.stage.brand_url + "/support")
    chat.wait_for_identity(own.provider.first.name)
    expect(chat.part("chat-remark")).to_contain_text("signed in now")
    chat.say("And now you know me")

    assert chat.lines()[: len(before)] == before
    identities = {entry["text"]: entry["identity"] for entry in own.heard()}
    assert identities["Where is my order?"] is None
    assert identities["And now you know me"]["email"] == own.provider.first.email
    assert own.conversations() == 1
    assert not any("eyJ" in str(value) for value in chat.storage().values())


def test_a_sign_in_in_another_tab_reaches_the_chat_that_is_open(own: World) -> None:
    chat = own.chat()
    chat.say("Said as a guest")
    other = own.signed_in_tab("/orders")

    chat.page.evaluate("() => dispatchEvent(new Event('focus'))")

    expect(chat.part("chat-remark")).to_contain_text("signed in now")
    chat.say("Said as Amira")
    assert chat.message("Said as a guest").count() == 1
    assert own.heard()[-1]["identity"]["email"] == own.provider.first.email
    assert other.popups == 0


def test_two_tabs_of_a_browser_are_one_conversation_and_so_is_a_copied_one(own: World) -> None:
    first = own.chat()
    first.say("From the first")
    own.records_settled()
    second = own.chat()
    second.say("From the second")
    with first.page.expect_popup() as opened:
        # As the browser does it when a tab is duplicated: the session storage is copied.
        first.page.evaluate("() => void open(location.href)")
    copy: Page = opened.value
    copy.locator('#chat[data-state="open"]').wait_for()

    first.say("Read in all")

    for words in ("From the first", "From the second", "Read in all"):
        for tab in (first.page, second.page, copy):
            expect(tab.locator(".bubble", has_text=words)).to_have_count(1)
    assert own.conversations() == 1


def test_a_sign_out_ends_the_chat_in_every_tab(own: World) -> None:
    chat = own.chat()
    chat.sign_in()
    own.provider.sign_in(chat.page, own.provider.first)
    chat.page.wait_for_url(own.stage.brand_url + "/support")
    chat.wait_for_identity(own.provider.first.name)
    chat.say("Before the sign-out")
    other = own.tab()
    other.visit("/orders")

    other.part("brand-sign-out").click()

    chat.wait_until("ended")
    expect(chat.part("chat-banner")).to_contain_text("signed out")
    expect(chat.part("chat-input")).to_be_hidden()
    assert not any(name.startswith("messenger-guest") for name in chat.storage())
    chat.part("chat-new").click()
    chat.wait_until("open")
    chat.say("Somebody new")
    assert own.heard()[-1]["identity"] is None
    assert chat.message("Before the sign-out").count() == 0


@pytest.mark.turns_time
def test_a_reload_goes_on_where_it_was_though_all_keys_have_changed(own: World) -> None:
    chat = own.chat()
    for turn in range(3):
        chat.say(f"Turn {turn}")
        # The keys of session ids live for an hour, those of the store until somebody says so.
        own.services.key_ring.rotate()
        own.pass_time(timedelta(minutes=50))
    chat.say("Before the reload")
    before = chat.lines()

    chat.page.reload()
    chat.message("Turn 0").wait_for()
    chat.say("After the reload")

    assert chat.lines()[: len(before)] == before
    assert own.conversations() == 1


def test_the_chat_fits_a_small_window_and_runs_either_way(own: World) -> None:
    chat = own.chat()
    chat.say("w" * 200)

    # 1280 by 1024, enlarged four times.
    chat.page.set_viewport_size({"width": 320, "height": 256})
    for direction in ("ltr", "rtl"):
        chat.page.evaluate("(dir) => void (document.documentElement.dir = dir)", direction)
        overflow = "(({scrollWidth, clientWidth}) => scrollWidth - clientWidth)"
        assert chat.page.evaluate(f"{overflow}(document.documentElement)") == 0, direction
        chat.part("chat-send").scroll_into_view_if_needed()
        box = chat.part("chat-send").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
