"""A guest who closed the page and comes back: what is provably theirs, and nothing else."""

from typing import Any

from guest_page import GUEST, GuestPage, Jar
from guest_shell import ShellRig

from bff.records.record_house import Records

DEVICE = "device-of-the-family"
HELLO = "Hello there! This is Robin. How can I help you today?"


def records_of(rig: ShellRig) -> Records:
    records = rig.services.records
    assert records is not None
    records.prepare()
    return records


def talked(rig: ShellRig, jar: Jar, text: str, **init: Any) -> GuestPage:
    """Have a chat, and close the page."""
    with rig.page(jar) as page:
        page.open(deviceId=DEVICE, **init)
        page.say(text)
        page.until("message_delivered")
        page.until("event")
    records_of(rig).settle()
    return page


def test_who_closes_the_page_and_comes_back_finds_the_conversation_and_the_form_filled(
    rig: ShellRig,
) -> None:
    records_of(rig)
    jar = Jar()
    profile = {"email": "amira@example.com", "name": "Amira", "unasked": "x"}
    first = talked(rig, jar, "see you later", profile=profile)
    with rig.page(jar) as again:
        created = again.open(deviceId=DEVICE)
        again.until_text("see you later")
        again.until_text(HELLO)
        again.say("here I am again")
        again.until_text("here I am again")
    assert (created["resumed"], created["guestId"]) == (True, first.created["guestId"])
    assert created["profile"] == {"email": "amira@example.com", "name": "Amira"}
    assert rig.heard == ["see you later", "here I am again"]


def test_another_profile_on_the_same_machine_sees_none_of_it(rig: ShellRig) -> None:
    records_of(rig)
    talked(rig, Jar(), "a secret of the first")
    for jar in (Jar(), Jar({GUEST: "z" * 43})):
        with rig.page(jar) as other:
            created = other.open(deviceId=DEVICE)
            other.say("hello from the other")
            other.until("message_delivered")
        assert created["resumed"] is False
        assert "profile" not in created
        assert "a secret of the first" not in str(other.seen)


def test_without_a_device_nobody_is_found(rig: ShellRig) -> None:
    records_of(rig)
    jar = Jar()
    talked(rig, jar, "see you later")
    with rig.page(jar) as again:
        assert again.open()["resumed"] is False
    with rig.page(jar) as again:
        assert again.open(deviceId="unknown")["resumed"] is False


def test_what_a_person_said_comes_back_to_that_person_only(rig: ShellRig) -> None:
    records_of(rig)
    jar = Jar()
    rig.sign_in(jar)
    talked(rig, jar, "a secret of amira")
    del jar.cookies["__Host-bff"]
    with rig.page(jar) as nobody:
        assert nobody.open(deviceId=DEVICE)["resumed"] is False
    rig.sign_in(jar, "zoe")
    with rig.page(jar) as zoe:
        assert zoe.open(deviceId=DEVICE)["resumed"] is False
        zoe.say("hello from zoe")
        zoe.until("message_delivered")
    assert "a secret of amira" not in str([*nobody.seen, *zoe.seen])
    rig.sign_in(jar, "amira")
    with rig.page(jar) as amira:
        created = amira.open(deviceId=DEVICE)
        amira.until_text("a secret of amira")
    assert created["profile"]["email"] == "amira@example.com"


def test_a_database_that_is_away_makes_a_new_session_and_loses_nothing(rig: ShellRig) -> None:
    records = records_of(rig)
    jar = Jar()
    away = records.guests.rows
    read = type(away).of_device
    try:
        type(away).of_device = _away  # type: ignore[method-assign]  # as if it did not answer
        with rig.page(jar) as page:
            assert page.open(deviceId=DEVICE)["resumed"] is False
            page.say("while the records are away")
            page.until("message_delivered")
    finally:
        type(away).of_device = read  # type: ignore[method-assign]
    records.settle()
    with rig.page(jar) as again:
        assert again.open(deviceId=DEVICE)["resumed"] is True


def _away(*_: Any, **__: Any) -> Any:
    from bff.errors import RecordsDownError  # noqa: PLC0415 - for this one

    raise RecordsDownError("away")


def test_every_change_and_every_refusal_stands_in_the_trail(rig: ShellRig) -> None:
    records = records_of(rig)
    jar = Jar()
    first = talked(rig, jar, "see you later")
    with rig.page(jar) as again:
        again.open(deviceId=DEVICE)
    with rig.page(Jar()) as stranger:
        stranger.open(deviceId=DEVICE)
        stranger.send(stranger.keys.end())
        stranger.until("session_ended")
    with rig.page(Jar()) as thief:
        thief.send(thief.keys.init(encryptedSessionId=first.created["encryptedSessionId"]))
        assert thief.next()["code"] == "session_unknown"
    rig.until(lambda: _actions(records).count("guest_ended") == 1, "the end is not written")

    told = _actions(records)
    assert sorted(told) == sorted(
        [
            *("guest_created", "guest_resumed"),
            *("guest_refused", "guest_created", "guest_ended"),
            "guest_refused",
        ]
    )
    written = str(records.keeper.rows(after=0, limit=100))
    for secret in (first.created["guestId"], DEVICE, jar.cookies[GUEST]):
        assert secret not in written


def _actions(records: Records) -> list[str]:
    records.settle()
    return [row.action for row in records.keeper.rows(after=0, limit=100)]


def test_who_ends_the_chat_begins_another_one(rig: ShellRig) -> None:
    records = records_of(rig)
    jar = Jar()
    with rig.page(jar) as page:
        first = page.open(deviceId=DEVICE)
        page.say("that was all")
        page.until("message_delivered")
        records.settle()
        page.send(page.keys.end())
        page.until("session_ended")
    rig.until(lambda: "guest_ended" in _actions(records), "the end is not written")
    with rig.page(jar) as again:
        created = again.open(deviceId=DEVICE)
    assert created["resumed"] is False
    assert created["guestId"] != first["guestId"]
