"""The socket half over real connections, with a client that is not ours."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import websocket
from genesys_rig import DEADLINE_S, MINUTES_16, GenesysRig, Guest, running_genesys


@pytest.fixture
def rig() -> Iterator[GenesysRig]:
    with running_genesys() as running:
        yield running


@pytest.mark.parametrize(
    "origin", ["http://evil.localhost", "http://brand.localhost.evil.example", None, "null"]
)
def test_a_foreign_page_is_refused_before_the_upgrade(rig: GenesysRig, origin: str | None) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Guest(rig.url, origin=origin)

    assert refused.value.status_code == 403
    assert rig.report()["counters"]["sockets"] == 0


def test_the_socket_is_not_a_page(rig: GenesysRig) -> None:
    assert rig.call("GET", "/v1").status_code == 400


def test_a_signed_in_person_chats(rig: GenesysRig) -> None:
    guest = rig.guest()
    session = guest.configure(rig.tokens()["jwt"])

    receipt = guest.answer_to(guest.say("Where is my order?"))
    words = [guest.until("StructuredMessage")["body"].get("text") for _ in range(4)]

    assert session["body"]["newSession"] is True
    assert receipt["body"]["text"] == "Where is my order?"
    assert words[1] == "Hello Amira! This is Robin. How can I help you today?"
    assert words[3] == "Amira, your latest order left our warehouse and arrives tomorrow."
    heard = rig.report()["heard"]
    assert heard[0]["text"] == "Where is my order?"
    assert heard[0]["identity"]["email"] == "amira@example.com"


def test_an_expired_jwt_needs_a_refresh_on_a_new_socket(rig: GenesysRig) -> None:
    pair = rig.tokens()
    rig.clock.advance(MINUTES_16)
    guest = rig.guest()

    refused = guest.configure(pair["jwt"])
    session = guest.configure(rig.refresh(pair["refreshToken"]).json()["jwt"])

    assert (refused["code"], refused["body"]) == (401, "User is unauthorized")
    assert session["code"] == 200


def test_logging_out_tells_every_connection(rig: GenesysRig) -> None:
    jwt = rig.tokens()["jwt"]
    one = rig.guest()
    other = rig.guest(one.token)
    for guest in (one, other):
        guest.configure(jwt)

    rig.revoke(jwt)

    assert one.until("LogoutEvent")["type"] == "message"
    assert other.until("LogoutEvent")["body"] == {}


def test_a_fourth_tab_closes_the_first_socket(rig: GenesysRig) -> None:
    first = rig.guest()
    first.configure()
    for _ in range(3):
        rig.guest(first.token).configure()

    first.until("ConnectionClosedEvent")

    first.until_closed()
    assert rig.report()["sessions"][0]["connections"] == 3


def test_every_socket_ends_after_two_hours(rig: GenesysRig) -> None:
    guest = rig.guest()
    guest.configure()

    rig.clock.advance(timedelta(hours=2))

    guest.until_closed()


def test_all_sockets_can_be_cut_and_the_session_goes_on(rig: GenesysRig) -> None:
    guest = rig.guest()
    guest.configure()

    rig.control("cut")

    guest.until_closed()
    assert rig.guest(guest.token).configure()["body"]["newSession"] is False


def test_what_the_agent_says_reaches_everybody(rig: GenesysRig) -> None:
    guests = [rig.guest(), rig.guest()]
    for guest in guests:
        guest.configure()

    rig.control("say", text="We close in five minutes.")

    for guest in guests:
        assert guest.until("StructuredMessage")["body"]["events"]
        assert guest.until("StructuredMessage")["body"]["text"] == "We close in five minutes."


def test_many_at_once_hear_everything_in_order(rig: GenesysRig) -> None:
    guests = [rig.guest() for _ in range(8)]
    for guest in guests:
        guest.configure()

    def chat(guest: Guest) -> None:
        for number in range(5):
            guest.answer_to(guest.say(f"message {number}"))

    crowd = [threading.Thread(target=chat, args=(guest,)) for guest in guests]
    for member in crowd:
        member.start()
    for member in crowd:
        member.join()

    for guest in guests:
        bodies = [frame["body"] for frame in guest.seen if frame["class"] == "StructuredMessage"]
        mine = [body["text"] for body in bodies if body["direction"] == "Inbound"]
        assert mine == [f"message {number}" for number in range(5)]
        times = [body["channel"]["time"] for body in bodies]
        assert times == sorted(times)


def test_a_client_that_leaves_is_forgotten(rig: GenesysRig) -> None:
    leaver, stayer = rig.guest(), rig.guest()
    for guest in (leaver, stayer):
        guest.configure()
    leaver.close()
    deadline = time.monotonic() + DEADLINE_S
    while rig.report()["counters"]["sockets"] > 1:
        assert time.monotonic() < deadline, "the server never noticed"

    assert stayer.answer_to(stayer.say("anybody here?"))["code"] == 200


def test_a_frame_that_is_too_large_ends_the_connection(rig: GenesysRig) -> None:
    guest = rig.guest()
    guest.say("x" * 300_000)

    guest.until_closed()
