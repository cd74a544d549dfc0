"""Script of an attacker runs in the brand's page (XSS): what it reaches, and what it does not."""

import json

from hostile_script import HostileScript
from security_model import Asset, Attacker, threat
from support_page import SupportPage
from world import World


def signed_in_chat(own: World) -> SupportPage:
    chat = own.chat()
    chat.sign_in()
    own.provider.sign_in(chat.page, own.provider.first)
    chat.page.wait_for_url(own.stage.brand_url + "/support")
    chat.wait_for_identity(own.provider.first.name)
    chat.say("Where is my order?")
    return chat


@threat(
    Attacker.PAGE_SCRIPT,
    Asset.TOKENS,
    can="Read everything in the page: no cookie, no token of provider or Genesys, no key",
)
def test_script_in_the_page_reads_no_token_no_cookie_and_no_key(own: World) -> None:
    chat = signed_in_chat(own)
    [session] = own.sessions()
    tokens = own.services.vault.live_tokens(session)
    guests = own.services.guests
    assert guests is not None
    secrets = [
        tokens.access_token,
        tokens.refresh_token,
        tokens.id_token,
        guests.desk.tokens.jwt_for(session.key),
        *(cookie.get("value") for cookie in own.context.cookies()),
    ]
    assert len(secrets) > 5, "the cookies are there to be stolen"

    loot = HostileScript(chat.page, own.services.site.public_url)

    for secret in secrets:
        assert secret, "a test without a secret would prove nothing"
        assert secret not in loot.all_text
    assert loot.found["cookie"] == ""
    assert loot.found["databases"] == "[]"


@threat(
    Attacker.PAGE_SCRIPT,
    Asset.SESSION,
    can="Act as the user while it runs: learn name and e-mail, extend the session, get a code",
    noticed="the end of the session ends it",
)
def test_script_in_the_page_acts_as_the_user_until_the_sign_out(own: World) -> None:
    chat = signed_in_chat(own)
    bff = own.services.site.public_url

    loot = HostileScript(chat.page, bff)

    assert loot.answer("session")["email"] == own.provider.first.email
    assert loot.answer("code")["authCode"]
    for session in own.sessions():
        own.services.sign_out.revoke(session.key)
    after = HostileScript(chat.page, bff)
    assert after.answer("session")["signed_in"] is False
    assert [after.found[name][0] for name in ("refresh", "code")] == [401, 401]


@threat(
    Attacker.PAGE_SCRIPT,
    Asset.CONVERSATION,
    can="Take the encrypted session id to another browser: it opens nothing there",
    noticed="audit event `guest_refused`",
)
def test_what_script_can_read_continues_no_chat_elsewhere(own: World) -> None:
    chat = own.chat()
    chat.say("Where is my order?")
    stolen = chat.storage()
    cookie = stolen.pop("cookie")
    assert cookie == ""
    elsewhere = own.another_profile()
    thief = SupportPage(elsewhere.new_page(), own.stage.brand_url)
    # Before any script of the page runs, as if it had always been there.
    thief.page.add_init_script(
        "for (const [name, value] of Object.entries("
        + json.dumps(stolen)
        + ")) { localStorage.setItem(name, value); sessionStorage.setItem(name, value); }"
    )

    thief.visit()
    thief.say("Whose chat is this?")

    assert "Where is my order?" not in thief.lines()
    assert own.conversations() == 2
    assert "guest_refused" in own.audit_actions(), "it has really been tried"
    elsewhere.close()
