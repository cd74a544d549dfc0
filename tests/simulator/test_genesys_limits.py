"""The limits of web messaging: how many, how fast, how long."""

from datetime import timedelta

import pytest
from messaging_bench import Bench, frame_of, refusal, texts

from bff.simulator.genesys_settings import DEMO_DEPLOYMENT


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_five_messages_a_second_and_not_one_more(bench: Bench) -> None:
    guest = bench.guest()
    for _ in range(5):
        bench.say(guest)

    frame = frame_of(bench.say(guest))

    assert (frame["class"], frame["code"]) == ("TooManyRequestsErrorMessage", 429)
    assert (frame["body"]["retryAfter"], frame["body"]["errorCode"]) == (1, 4029)
    bench.clock.advance(timedelta(seconds=1))
    assert texts(bench.say(guest))[0] == "hello"


def test_sixty_requests_a_minute_on_one_connection(bench: Bench) -> None:
    guest = bench.guest()
    for _ in range(59):
        assert frame_of(bench.send(guest, "getJwt"))["code"] == 200

    frame = frame_of(bench.send(guest, "getJwt"))

    assert frame["body"]["errorCode"] == 4029
    assert frame["body"]["retryAfter"] == 60


def test_sixty_configures_a_minute_for_one_token(bench: Bench) -> None:
    for _ in range(60):
        connection = bench.open()
        bench.configure(connection)
        bench.messaging.close(connection)

    assert frame_of(bench.configure(bench.open()))["body"]["errorCode"] == 4029


def test_two_health_checks_a_minute(bench: Bench) -> None:
    guest = bench.guest()
    message = {"type": "Text", "text": "ping"}
    first = frame_of(bench.send(guest, "echo", message=message))
    bench.send(guest, "echo", message=message)

    third = frame_of(bench.send(guest, "echo", message=message))

    assert (first["type"], first["body"]["text"]) == ("response", "ping")
    assert first["body"]["metadata"]["durationSeconds"] == "259200"
    assert third["body"]["errorCode"] == 4029


def test_typing_counts_once_in_five_seconds(bench: Bench) -> None:
    guest = bench.guest()
    event = {"eventType": "Typing", "typing": {"type": "On"}}
    message = {"type": "Event", "events": [event]}

    assert bench.send(guest, "onMessage", message=message) == []
    again = bench.send(guest, "onMessage", message=message)

    assert frame_of(again)["body"]["retryAfter"] == 5


def test_a_thousand_connections_a_minute(bench: Bench) -> None:
    for _ in range(1_000):
        bench.open()

    assert bench.messaging.open(DEMO_DEPLOYMENT) is None
    bench.clock.advance(timedelta(minutes=1))
    assert bench.messaging.open(DEMO_DEPLOYMENT) is not None


def test_texts_are_measured_in_bytes(bench: Bench) -> None:
    guest = bench.guest()

    assert texts(bench.say(guest, "é" * 2048))[0] == "é" * 2048
    assert refusal(bench.say(guest, "é" * 2048 + "x")) == (4011, "message too long")


def test_attributes_are_limited_and_metadata_are_texts(bench: Bench) -> None:
    guest = bench.guest()
    large = {"metadata": {"customAttributes": {"a": "x" * 2048}}}

    assert refusal(bench.say(guest, channel=large))[0] == 4013
    assert refusal(bench.say(guest, metadata={"n": 5}))[0] == 400
