"""Web messaging without sockets: text in, deliveries out, on a clock turned by hand."""

import json
from datetime import timedelta

import pytest
from messaging_bench import OTHER_TOKEN, Bench, frame_of, refusal, texts

from bff.simulator.genesys_faults import Door, Fault
from bff.simulator.genesys_settings import DEMO_DEPLOYMENT


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_guest_configures_a_new_session(bench: Bench) -> None:
    frame = frame_of(bench.configure(bench.open()))

    body = frame["body"]
    assert (frame["type"], frame["class"], frame["code"]) == ("response", "SessionResponse", 200)
    assert frame["tracingId"] == "t-1"
    assert (body["connected"], body["newSession"], body["readOnly"]) == (True, True, False)
    assert body["durationSeconds"] == 72 * 3600
    assert body["expirationDate"] == int(bench.clock.now().timestamp()) + 72 * 3600


def test_the_same_token_finds_its_session_again(bench: Bench) -> None:
    bench.guest()

    assert frame_of(bench.configure(bench.open()))["body"]["newSession"] is False


def test_a_person_speaks_under_the_name_that_the_provider_vouched_for(bench: Bench) -> None:
    person = bench.person()

    deliveries = bench.say(person, "where is my order")

    receipt = json.loads(deliveries[0].text)
    assert (receipt["type"], receipt["tracingId"]) == ("message", "t-1")
    assert receipt["body"]["direction"] == "Inbound"
    assert receipt["body"]["channel"]["from"] == {"firstName": "Amira", "lastName": "Haddad"}
    heard = bench.messaging.talk.heard[0]
    assert heard.identity is not None
    assert (heard.text, heard.identity.subject) == ("where is my order", "sub-Amira")


def test_the_agent_types_first_and_then_greets_by_first_name(bench: Bench) -> None:
    deliveries = bench.presence(bench.person(), "Join")

    bodies = [json.loads(delivery.text)["body"] for delivery in deliveries]
    assert bodies[0]["direction"] == "Inbound"
    assert bodies[1]["events"][0] == {
        "eventType": "Typing",
        "typing": {"type": "On", "duration": 5000},
    }
    assert bodies[2]["text"] == "Hello Amira! This is Robin. How can I help you today?"
    assert bodies[2]["originatingEntity"] == "Human"


def test_the_same_question_has_the_same_answer(bench: Bench) -> None:
    guest = bench.guest()

    first = texts(bench.say(guest, "Can I return it?"))[-1]
    bench.clock.advance(timedelta(seconds=2))
    second = texts(bench.say(guest, "Can I return it?"))[-1]

    assert first == second == "You can return anything within 60 days, free of charge."


def test_every_connection_of_a_session_hears_every_message(bench: Bench) -> None:
    one, other = bench.guest(), bench.guest()

    hearers = {delivery.connection for delivery in bench.say(one)}

    assert hearers == {one, other}


def test_an_expired_jwt_configures_nothing(bench: Bench) -> None:
    jwt = bench.jwt()
    bench.clock.advance(timedelta(minutes=15))

    answer = refusal(bench.configure(bench.open(), jwt))

    assert answer == (401, "User is unauthorized")
    assert bench.messaging.counters.unauthorized == 1


def test_an_open_socket_outlives_its_jwt(bench: Bench) -> None:
    person = bench.person()
    bench.clock.advance(timedelta(hours=1))

    assert texts(bench.say(person, "still here"))[0] == "still here"


def test_a_revoked_person_cannot_configure_and_every_connection_is_told(bench: Bench) -> None:
    one, other = bench.person(), bench.person()
    jwt = bench.jwt()

    identity = bench.desk.revoke(jwt)
    told = bench.messaging.log_out(identity.subject)

    assert {delivery.connection for delivery in told} == {one, other}
    assert json.loads(told[0].text)["class"] == "LogoutEvent"
    assert refusal(bench.configure(bench.open(), jwt))[0] == 401


def test_a_person_cannot_become_a_guest_again(bench: Bench) -> None:
    bench.person()

    assert refusal(bench.configure(bench.open()))[0] == 4017


def test_a_token_of_one_person_does_not_open_for_another(bench: Bench) -> None:
    bench.person("Amira")

    answer = refusal(bench.configure(bench.open(), bench.jwt("Zoe")))

    assert answer == (403, "Session authentication failed")


def test_another_browser_of_the_same_person_joins_the_conversation(bench: Bench) -> None:
    bench.say(bench.person(), "from the laptop")

    phone = bench.open()
    body = frame_of(bench.configure(phone, bench.jwt(), OTHER_TOKEN))["body"]
    jwt = frame_of(bench.send(phone, "getJwt", OTHER_TOKEN))["body"]["jwt"]
    messages = bench.messaging.history(bench.desk.session_of(jwt))

    assert body["newSession"] is False
    assert messages is not None
    assert messages[-1]["text"] == "from the laptop"


def test_step_up_keeps_the_conversation_and_closes_the_other_tab(bench: Bench) -> None:
    one, other = bench.guest(), bench.guest()
    bench.say(one, "before")

    deliveries = bench.configure(one, bench.jwt())

    frames = [json.loads(delivery.text) for delivery in deliveries]
    assert (deliveries[0].connection, deliveries[0].closes) == (other, True)
    assert (frames[0]["class"], frames[0]["body"]) == (
        "ConnectionClosedEvent",
        {"reason": "signedIn"},
    )
    assert frames[1]["body"]["newSession"] is False
    assert frames[1]["body"]["clearedExistingSession"] is False
    assert frames[2]["body"]["events"] == [
        {"eventType": "Presence", "presence": {"type": "SignIn"}}
    ]
    assert frames[2]["body"]["metadata"]["authenticated"] == "true"


def test_step_up_clears_the_conversation_the_person_had_elsewhere(bench: Bench) -> None:
    elsewhere = bench.person(token=OTHER_TOKEN)
    here = bench.guest()

    deliveries = bench.configure(here, bench.jwt())

    assert deliveries[0].connection == elsewhere
    assert json.loads(deliveries[0].text)["class"] == "SessionClearedEvent"
    assert json.loads(deliveries[1].text)["body"]["clearedExistingSession"] is True
    assert refusal(bench.send(elsewhere, "getJwt", OTHER_TOKEN))[0] == 4007


def test_a_fourth_connection_closes_the_oldest(bench: Bench) -> None:
    oldest, _, _ = (bench.guest() for _ in range(3))

    closing, answer = bench.configure(bench.open())

    assert (closing.connection, closing.closes) == (oldest, True)
    assert json.loads(closing.text)["class"] == "ConnectionClosedEvent"
    assert json.loads(answer.text)["class"] == "SessionResponse"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", 400),
        ("[]", 400),
        ("{}", 4020),
        ('{"action":"echo"}', 4020),
        ('{"action":"init","token":"x"}', 4000),
        ('{"action":"onMessage","token":"x"}', 4007),
        ('{"action":"configureSession","token":"x"}', 4020),
        ('{"action":"configureSession","token":"x","deploymentId":"other"}', 400),
    ],
)
def test_nonsense_has_an_answer(bench: Bench, text: str, code: int) -> None:
    frame = frame_of(bench.messaging.receive(bench.open(), text))

    assert (frame["class"], frame["code"]) == ("string", code)
    assert "tracingId" not in frame


def test_an_empty_message_misses_something(bench: Bench) -> None:
    guest = bench.guest()

    assert refusal(bench.send(guest, "onMessage", message={"type": "Text"}))[0] == 4020
    assert refusal(bench.send(guest, "onMessage"))[0] == 4020
    assert refusal(bench.send(guest, "onMessage", message={"type": "Event"}))[0] == 4020


def test_another_token_than_the_configured_one_is_no_session(bench: Bench) -> None:
    guest = bench.guest()

    assert refusal(bench.send(guest, "getJwt", OTHER_TOKEN))[0] == 4007


def test_a_session_ends_three_days_after_its_last_message(bench: Bench) -> None:
    guest = bench.guest()
    bench.clock.advance(timedelta(hours=71))
    bench.say(guest)
    bench.clock.advance(timedelta(hours=71))
    assert texts(bench.say(guest))[0] == "hello"

    bench.clock.advance(timedelta(hours=72, seconds=1))

    assert refusal(bench.say(guest))[0] == 4006
    assert frame_of(bench.configure(bench.open()))["body"]["newSession"] is True


def test_an_ended_conversation_can_only_be_read_until_a_new_one_is_asked_for(bench: Bench) -> None:
    guest = bench.guest()
    bench.say(guest)

    event = frame_of(bench.presence(guest, "Disconnect"))["body"]

    assert event["metadata"]["readOnly"] == "true"
    assert refusal(bench.say(guest))[0] == 409
    assert frame_of(bench.configure(bench.open()))["body"]["readOnly"] is True
    closed = bench.send(guest, "closeSession", closeAllConnections=True)[-1]
    assert json.loads(closed.text)["body"]["connected"] is False
    fresh = frame_of(bench.configure(guest, startNew=True))["body"]
    assert (fresh["newSession"], fresh["readOnly"]) == (True, False)


def test_closing_a_session_closes_the_other_connections(bench: Bench) -> None:
    one, other = bench.guest(), bench.guest()

    closing, answer = bench.send(one, "closeSession", closeAllConnections=True)

    assert (closing.connection, closing.closes) == (other, True)
    assert json.loads(answer.text)["body"]["readOnly"] is True


def test_clearing_drops_the_session_everywhere(bench: Bench) -> None:
    one, other = bench.guest(), bench.guest()

    deliveries = bench.presence(one, "Clear")

    assert {delivery.connection for delivery in deliveries} == {one, other}
    assert json.loads(deliveries[0].text)["class"] == "SessionClearedEvent"
    assert frame_of(bench.configure(one))["body"]["newSession"] is True


def test_clearing_is_refused_where_it_is_not_configured() -> None:
    bench = Bench(conversation_clear=False)

    answer = refusal(bench.presence(bench.guest(), "Clear"))

    assert answer == (403, "Presence events Conversation Clear are not supported")


def test_a_connection_is_cut_after_two_hours(bench: Bench) -> None:
    old = bench.guest()
    bench.clock.advance(timedelta(minutes=119))
    young = bench.guest()
    assert bench.messaging.sweep() == []

    bench.clock.advance(timedelta(minutes=1))
    cut = bench.messaging.sweep()

    assert [(delivery.connection, delivery.closes) for delivery in cut] == [(old, True)]
    assert young in bench.messaging.connections


def test_times_never_repeat_and_history_is_newest_first(bench: Bench) -> None:
    guest = bench.guest()
    bench.say(guest, "one")
    bench.say(guest, "two")

    jwt = frame_of(bench.send(guest, "getJwt"))["body"]["jwt"]
    messages = bench.messaging.history(bench.desk.session_of(jwt)) or []

    times = [message["channel"]["time"] for message in messages]
    assert times == sorted(set(times), reverse=True)
    assert messages[-1]["text"] == "one"
    assert all(message["type"] == "Text" for message in messages)


def test_a_history_jwt_lives_a_minute_and_opens_nothing_else(bench: Bench) -> None:
    guest = bench.guest()
    body = frame_of(bench.send(guest, "getJwt"))["body"]

    assert body["exp"] == int(bench.clock.now().timestamp()) + 60
    assert refusal(bench.configure(bench.open(), body["jwt"]))[0] == 401


def test_configuring_can_be_made_to_fail(bench: Bench) -> None:
    bench.faults.order(Door.CONFIGURE, Fault(status=403, message="Try to authenticate again"))

    assert refusal(bench.configure(bench.open())) == (403, "Try to authenticate again")
    assert frame_of(bench.configure(bench.open()))["code"] == 200


def test_the_configuration_can_be_asked_for(bench: Bench) -> None:
    answer = frame_of(bench.send(bench.open(), "getConfiguration", deploymentId=DEMO_DEPLOYMENT))

    assert answer["class"] == "GetConfigurationResponse"
    assert answer["body"]["sessionDurationSeconds"] == 259200


def test_a_closed_connection_hears_nothing_more(bench: Bench) -> None:
    one, other = bench.guest(), bench.guest()

    bench.messaging.close(other)

    assert {delivery.connection for delivery in bench.say(one)} == {one}
    assert bench.send(other, "getJwt") == []
