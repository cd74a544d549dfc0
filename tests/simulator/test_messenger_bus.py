"""The command bus as the contract describes it, in Chromium."""

from collections.abc import Iterator
from typing import Any

import pytest
from messenger_rig import MessengerRig, expect_state, launched_chromium, running_messenger
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def rig(chromium: Browser) -> Iterator[MessengerRig]:
    with running_messenger(chromium) as running:
        yield running


@pytest.fixture
def page(rig: MessengerRig) -> Iterator[Page]:
    opened = rig.page(before="window.stub = window.Genesys;")
    expect_state(opened, "authenticated")
    yield opened
    opened.close()


def run(page: Page, script: str) -> Any:
    """Run the body of an async function that has P, a plugin of its own."""
    return page.evaluate(
        "async () => { let P; Genesys('registerPlugin', 'Probe', (plugin) => { P = plugin; });"
        "const tick = () => new Promise((go) => setTimeout(go, 20));" + script + "}"
    )


def test_the_stub_is_replaced_and_a_kept_one_queues_for_ever(page: Page) -> None:
    assert page.evaluate("window.stub !== window.Genesys")
    page.evaluate("window.stub('subscribe', 'Auth.ready', () => { window.never = 1; })")
    page.evaluate("new Promise((go) => setTimeout(go, 50))")

    assert page.evaluate("window.never") is None


def test_the_stub_keeps_its_configuration(page: Page) -> None:
    assert page.evaluate("Boolean(Genesys.c.deploymentId) && Genesys.t > 0")


def test_every_global_call_returns_undefined(page: Page) -> None:
    returned = page.evaluate(
        "[Genesys('command', 'No.such'), Genesys('subscribe', 'A.b', () => {}),"
        " Genesys('registerPlugin', 'Another', () => 5)].map((value) => value === undefined)"
    )

    assert returned == [True, True, True]


def test_callbacks_shift_when_there_are_no_options(page: Page) -> None:
    heard = run(
        page,
        "P.registerCommand('give', (e) => e.resolve(e.data));"
        "P.registerCommand('deny', (e) => e.reject({message: 'no'}));"
        "const heard = [];"
        "Genesys('command', 'Probe.give', (value) => heard.push(value));"
        "Genesys('command', 'Probe.give', {a: 1}, (value) => heard.push(value));"
        "Genesys('command', 'Probe.deny', {}, () => {}, (error) => heard.push(error.message));"
        "Genesys('command', 'Probe.deny');"
        "await tick(); return heard;",
    )

    assert heard == [{}, {"a": 1}, "no"]


def test_a_plugins_command_is_a_promise_and_its_options_may_be_missing(page: Page) -> None:
    assert run(
        page,
        "P.registerCommand('bare', (e) => e.resolve(e.data === undefined));"
        "const promise = P.command('Probe.bare'); return (promise instanceof Promise) && promise;",
    )


def test_a_second_settle_throws_at_whoever_does_it_and_changes_nothing(page: Page) -> None:
    with page.expect_console_message(lambda line: "settled twice" in line.text):
        outcome = run(
            page,
            "let thrown = ''; P.registerCommand('twice', (e) => { e.resolve(1);"
            " try { e.reject(2); } catch (error) { thrown = error.message; } });"
            "return [await P.command('Probe.twice'), thrown];",
        )

    assert outcome == [1, "Probe.twice was settled twice"]


def test_a_command_that_never_settles_hangs(page: Page) -> None:
    outcome = run(
        page,
        "P.registerCommand('hang', () => {});"
        "return Promise.race([P.command('Probe.hang'), tick().then(() => 'still waiting')]);",
    )

    assert outcome == "still waiting"


def test_subscribers_are_called_later_and_with_the_whole_envelope(page: Page) -> None:
    early, envelope = run(
        page,
        "let envelope = null; P.subscribe('Probe.hello', (event) => { envelope = event; });"
        "P.publish('hello'); const early = envelope; await tick(); return [early, envelope];",
    )

    assert early is None
    assert set(envelope) == {"time", "publisher", "event", "eventName", "data"}
    assert (envelope["publisher"], envelope["event"]) == ("Probe", "Probe.hello")
    assert (envelope["eventName"], envelope["data"]) == ("hello", {})


def test_what_was_published_is_not_replayed_and_what_was_republished_is(page: Page) -> None:
    heard = run(
        page,
        "P.publish('once', {n: 1}); P.republish('always', {n: 1}); P.republish('always', {n: 2});"
        "const heard = []; const hear = (event) => heard.push(event);"
        "Genesys('subscribe', 'Probe.once', hear); Genesys('subscribe', 'Probe.always', hear);"
        "await tick(); return heard;",
    )

    assert [event["data"] for event in heard] == [{"n": 2}]
    assert set(heard[0]) == {"time", "publisher", "event", "data"}


def test_ready_is_replayed_for_every_plugin(page: Page) -> None:
    heard = run(
        page,
        "const heard = []; P.ready();"
        "for (const name of ['GenesysJS', 'Auth', 'MessagingService', 'Messenger', 'Probe'])"
        "  Genesys('subscribe', `${name}.ready`, (event) => heard.push(event.publisher));"
        "await tick(); return heard.sort();",
    )

    assert heard == ["Auth", "GenesysJS", "MessagingService", "Messenger", "Probe"]


def test_unsubscribing_takes_all_of_a_plugins_own_callbacks(page: Page) -> None:
    outcome = run(
        page,
        "let mine = 0, others = 0;"
        "const subscribed = P.subscribe('Probe.e', () => { mine += 1; });"
        "P.subscribe('Probe.e', () => { mine += 1; });"
        "Genesys('subscribe', 'Probe.e', () => { others += 1; });"
        "const first = P.unsubscribe('Probe.e'); const second = P.unsubscribe('Probe.e');"
        "P.publish('e'); await tick();"
        "return [subscribed, P.subscribe('x'), first, second, mine, others];",
    )

    assert outcome == ["Probe.e", False, True, False, 0, 1]


def test_a_taken_name_fails_with_the_vendors_words(page: Page) -> None:
    message = run(
        page,
        "try { Genesys('registerPlugin', 'Auth', () => {}); }"
        "catch (error) { return error.message; }",
    )

    assert message == "Can't register plugin Auth -- Name is already taken"


def test_a_foreign_command_name_is_refused(page: Page) -> None:
    assert run(
        page,
        "try { P.registerCommand('Auth.refreshToken', () => {}); return false; }"
        "catch { return true; }",
    )


def test_payloads_are_copied_and_lose_what_json_cannot_carry(page: Page) -> None:
    heard, kept = run(
        page,
        "let heard; P.subscribe('Probe.e', ({data}) => { heard = data; });"
        "const sent = {n: {m: 1}, f: () => 1, e: new Error('x')};"
        "P.publish('e', sent); sent.n.m = 2; await tick(); return [heard, sent.n.m];",
    )

    assert heard == {"n": {"m": 1}, "e": {}}
    assert kept == 2


def test_the_data_model_is_shared(page: Page) -> None:
    shared = run(
        page,
        "P.data('settings', {headless: true});"
        "return [P.data('Auth.authenticated'), window.AuthProvider.data('settings')];",
    )

    assert shared == [True, {"headless": True}]


def test_the_configuration_is_replayed_whole(page: Page) -> None:
    event = run(
        page,
        "let heard; Genesys('subscribe', 'GenesysJS.configurationReceived', (e) => { heard = e; });"
        "await tick(); return heard;",
    )

    assert event["data"]["deploymentConfig"]["auth"]["enabled"] is True
    assert event["data"]["snippetConfig"]["environment"] == "stand-in"


def test_registering_inside_a_handler_is_reported(page: Page) -> None:
    with page.expect_console_message(lambda line: "inside a command's handler" in line.text):
        run(
            page,
            "P.registerCommand('outer', (e) => {"
            " P.registerCommand('inner', () => {}); e.resolve(); });"
            "return P.command('Probe.outer');",
        )
