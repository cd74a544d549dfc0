"""Guests who are signed in: the BFF holds their tokens, and a sign-out ends their chat at once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from guest_page import GuestPage, Jar
from guest_shell import Shell, ShellRig, running_shell

from bff.signin.records import EndReason, SessionKey
from bff.simulator.genesys_faults import Door, Fault


def words(page: GuestPage) -> str:
    return str(page.seen)


def test_a_signed_in_person_chats_as_themselves_and_the_page_sees_no_token(rig: ShellRig) -> None:
    jar = Jar()
    rig.sign_in(jar)
    with rig.page(jar) as page:
        page.open()
        page.say("it is me")
        page.until("message_delivered")
    identity = rig.heard_from("it is me")
    assert identity.subject == "pairwise-of-amira"
    assert rig.stage.genesys.desk.counters.exchanges == 1
    # A JWT begins like this, wherever it stands.
    assert "eyJ" not in words(page)


def test_an_anonymous_chat_becomes_the_persons_without_losing_a_line(rig: ShellRig) -> None:
    jar = Jar()
    with rig.page(jar) as page:
        created = page.open()
        page.say("said by nobody")
        page.until_text("Hello there! This is Robin. How can I help you today?")
    rig.sign_in(jar)
    with rig.page(jar) as again:
        resumed = again.open(encryptedSessionId=created["encryptedSessionId"])
        again.say("said by amira")
        # Nobody promises which comes first.
        again.until_all(
            lambda frame: frame["type"] == "session_authenticated",
            lambda frame: (frame.get("body") or {}).get("text") == "said by amira",
        )
        again.say("and once more")
        again.until_text("and once more")
    assert resumed["resumed"]
    assert rig.heard == ["said by nobody", "said by amira", "and once more"]
    assert rig.heard_from("and once more").subject == "pairwise-of-amira"
    assert "said by nobody" in words(again), "the history is there after signing in"


def test_a_sign_out_closes_the_chat_within_a_second_and_takes_the_tokens(rig: ShellRig) -> None:
    jar = Jar()
    key = rig.sign_in(jar)
    with rig.page(jar) as page, rig.page() as neighbour:
        neighbour.open()
        created = page.open()
        page.say("hello")
        page.until("message_delivered")
        before = rig.services.clock.now()
        rig.services.sign_out.revoke(SessionKey(key), EndReason.SIGNED_OUT)
        assert page.until("session_ended")["reason"] == "signed_out"
        assert page.until_closed() == (1000, "signed_out")
        assert rig.services.clock.now() - before < timedelta(seconds=1)
        neighbour.say("not disturbed")
        neighbour.until("message_delivered")
    rig.until(lambda: rig.stage.genesys.desk.counters.revocations == 1, "the JWT lives on")
    again = rig.page(jar)
    again.send(again.keys.init(encryptedSessionId=created["encryptedSessionId"]))
    assert again.next()["code"] == "session_unknown"
    again.leave()


def test_an_operator_ends_it_and_the_page_is_told_so(rig: ShellRig) -> None:
    jar = Jar()
    key = rig.sign_in(jar)
    with rig.page(jar) as page:
        page.open()
        page.say("hello")
        page.until("message_delivered")
        rig.services.sign_out.revoke(SessionKey(key))
        assert page.until("session_ended")["reason"] == "revoked"


def test_another_person_does_not_get_the_chat_of_the_first(rig: ShellRig) -> None:
    jar = Jar()
    rig.sign_in(jar, "amira")
    with rig.page(jar) as page:
        created = page.open()
        page.say("secret of amira")
        page.until("message_delivered")
    for who in ("zoe", None):
        if who is None:
            del jar.cookies["__Host-bff"]
        else:
            rig.sign_in(jar, who)
        with rig.page(jar) as other:
            other.send(other.keys.init(encryptedSessionId=created["encryptedSessionId"]))
            assert other.next()["code"] == "session_unknown"
            other.open()
            other.say(f"now {who}")
            other.until("message_delivered")
        assert "secret of amira" not in words(other)
    assert rig.heard_from("now None") is None


def test_a_sign_in_that_took_the_place_of_another_sends_the_page_back(rig: ShellRig) -> None:
    jar = Jar()
    key = rig.sign_in(jar)
    with rig.page(jar) as page:
        created = page.open()
        page.say("before")
        page.until("message_delivered")
        rig.sign_in(jar)
        rig.services.book.end(SessionKey(key), EndReason.REPLACED)
        assert page.until_closed() == (4001, "come_back")
    with rig.page(jar) as again:
        assert again.open(encryptedSessionId=created["encryptedSessionId"])["resumed"]
        again.say("after")
        again.until("message_delivered")
    assert rig.heard_from("after").subject == "pairwise-of-amira"


def test_a_session_that_ran_out_is_noticed_without_any_news(shell: Shell, tmp_path: Path) -> None:
    with running_shell(shell, tmp_path, BFF_SESSION_IDLE="600") as rig:
        jar = Jar()
        rig.sign_in(jar)
        with rig.page(jar) as page:
            page.open()
            page.say("hello")
            page.until("message_delivered")
            rig.clock.shift += timedelta(minutes=11)
            assert page.until("session_ended")["reason"] == "signed_out"


def test_a_jwt_that_genesys_refuses_is_renewed_and_the_page_notices_nothing(
    rig: ShellRig,
) -> None:
    jar = Jar()
    rig.sign_in(jar)
    refused = Fault(status=401, message="User is unauthorized")
    rig.stage.genesys.faults.order(Door.CONFIGURE, refused)
    with rig.page(jar) as page:
        page.open()
        page.say("after a refusal")
        page.until("message_delivered")
    kinds = {frame["type"] for frame in page.seen}
    assert "error" not in kinds
    assert rig.heard_from("after a refusal").subject == "pairwise-of-amira"


def test_a_step_up_that_fails_leaves_the_chat_as_it_was(rig: ShellRig) -> None:
    jar = Jar()
    with rig.page(jar) as page:
        created = page.open()
        page.say("anonymous")
        page.until("message_delivered")
    rig.sign_in(jar)
    down: Any = Fault(status=503, message="away")
    rig.stage.genesys.faults.order(Door.EXCHANGE, down, times=20)
    with rig.page(jar) as again:
        again.open(encryptedSessionId=created["encryptedSessionId"])
        failed = again.until("error")
        assert failed["code"] == "step_up_failed"
        assert failed["retryAfter"] > 0
        again.say("still anonymous")
        again.until_text("still anonymous")
    assert rig.heard_from("still anonymous") is None
