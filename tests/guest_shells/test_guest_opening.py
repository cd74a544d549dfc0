"""Who gets a guest session, who gets it back, and who is turned away before the upgrade."""

import json
from pathlib import Path
from typing import Any

import pytest
from guest_page import GUEST, Jar
from guest_shell import Shell, ShellRig, running_shell
from websockets.exceptions import InvalidStatus

from bff.simulator.genesys_faults import Door, Fault


def refusal(rig: ShellRig, **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        rig.page(**options)
    response = refused.value.response
    return response.status_code, json.loads(response.body or b"{}").get("code", "")


def test_an_anonymous_page_gets_a_session_that_genesys_knows(rig: ShellRig) -> None:
    with rig.page() as page:
        created = page.open()
        seq = page.say("hello from nobody")
        page.until("message_accepted", seq=seq)
        delivered = page.until("message_delivered", seq=seq)
        page.until_text("Hello there! This is Robin. How can I help you today?")
    assert created["resumed"] is False
    assert delivered["body"]["text"] == "hello from nobody"
    assert rig.heard_from("hello from nobody") is None


def test_a_page_that_is_not_on_the_list_is_refused_before_the_upgrade(rig: ShellRig) -> None:
    for origin in ("http://evil.localhost", "null", rig.stage.brand_url + ".evil.localhost", None):
        assert refusal(rig, origin=origin) == (403, "origin_refused")


def test_two_cookies_of_one_name_are_refused(rig: ShellRig) -> None:
    tossed = Jar({"__Host-bff": "a", " __Host-bff": "b"})
    assert refusal(rig, jar=tossed) == (400, "cookie_conflict")


def test_a_new_browser_gets_a_lasting_cookie_and_a_known_one_keeps_its_own(rig: ShellRig) -> None:
    jar = Jar()
    with rig.page(jar) as first:
        response = first.socket.response
        assert response is not None
        cookie = response.headers["Set-Cookie"]
    for part in ("HttpOnly", "Secure", "Path=/", "SameSite=Strict", "Max-Age=34560000"):
        assert part in cookie
    assert len(jar.cookies[GUEST]) == 43
    with rig.page(jar) as second:
        response = second.socket.response
        assert response is not None
        assert "Set-Cookie" not in response.headers


def test_no_compression_is_agreed_to(rig: ShellRig) -> None:
    # The client refuses an answer that agrees to what it did not offer, so it does offer it.
    with rig.page(compression="deflate") as page:
        response = page.socket.response
        assert response is not None
        assert "Sec-WebSocket-Extensions" not in response.headers


def test_a_session_is_continued_by_its_own_browser_with_its_history(rig: ShellRig) -> None:
    jar = Jar()
    with rig.page(jar) as page:
        guest = page.open()["guestId"]
        page.say("are you there?")
        page.until_text("are you there?")
        page.until_text("Hello there! This is Robin. How can I help you today?")
    with rig.page(jar) as again:
        created = again.open(encryptedSessionId=page.created["encryptedSessionId"])
        again.until_text("are you there?")
        again.until_text("Hello there! This is Robin. How can I help you today?")
    assert (created["guestId"], created["resumed"]) == (guest, True)


@pytest.mark.parametrize("whose", ["another browser's", "no", "an invented"])
def test_an_id_alone_continues_nothing(rig: ShellRig, whose: str) -> None:
    jar = Jar()
    with rig.page(jar) as page:
        sealed = page.open()["encryptedSessionId"]
    other = Jar({GUEST: "x" * 43}) if whose == "another browser's" else Jar()
    if whose == "an invented":
        other, sealed = jar, sealed[:-1] + ("A" if sealed[-1] != "A" else "B")
    with rig.page(other) as thief:
        thief.send(thief.keys.init(encryptedSessionId=sealed))
        error = thief.next()
        assert (error["type"], error["code"]) == ("error", "session_unknown")
        assert thief.open()["resumed"] is False


def test_new_sessions_are_counted_for_each_address(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path, BFF_GUEST_SESSIONS_PER_MINUTE="2") as rig:
        for _ in range(2):
            with rig.page() as page:
                page.open()
        with rig.page() as third:
            third.send(third.keys.init())
            error = third.next()
    assert error["code"] == "rate_limited"
    assert 0 < error["retryAfter"] <= 60


def test_there_is_room_for_so_many_and_the_next_is_told_when_to_come(
    shell: Shell, tmp_path: Path
) -> None:
    with running_shell(shell, tmp_path, BFF_GUEST_CONNECTIONS="2") as rig:
        with rig.page() as first, rig.page() as second:
            first.open()
            second.open()
            with pytest.raises(InvalidStatus) as refused:
                rig.page()
            assert refused.value.response.status_code == 503
            assert int(refused.value.response.headers["Retry-After"]) >= 1
        rig.until(lambda: _has_room(rig), "the places were not given back")


def _has_room(rig: ShellRig) -> bool:
    try:
        with rig.page():
            return True
    except InvalidStatus:
        return False


def test_a_gateway_in_front_of_genesys_makes_the_guest(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path, BFF_GUEST_PROVISIONING="http") as rig:
        rig.stage.genesys.faults.order(Door.GUESTS, Fault(status=403, message="no permission"))
        with rig.page() as page:
            page.send(page.keys.init())
            assert page.next()["code"] == "service_unavailable"
            page.open()
            page.say("made elsewhere")
            page.until("message_delivered", seq=1)
        assert rig.stage.genesys.platform_tokens.counters.platform_tokens_given == 1
