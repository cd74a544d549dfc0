"""Calls of the platform API on bad days: too fast, away, silent, forbidden; what is made twice."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from black_holes import never_answers, nobody_listens
from hand_clock import START
from platform_rig import (
    GET_THINGS,
    POST_THINGS,
    THINGS,
    TOKEN_PATH,
    NotingClock,
    PlatformRig,
    Scripted,
    client_at,
    running_platform,
)

from bff.adapters.genesys_cloud import LONGEST_BODY, GenesysCloud
from bff.adapters.retry_after import retry_after
from bff.adapters.system import SystemClock
from bff.errors import (
    GenesysDownError,
    GenesysPermissionError,
    GenesysRefusedError,
    GenesysSilentError,
    SettingsError,
)
from bff.guests.back_off import Patience
from bff.ports import PlatformRequest
from bff.simulator.genesys_faults import Door, Fault

SECOND = timedelta(seconds=1)
BRIEF = Patience(deadline=timedelta(seconds=0.3), first_wait=timedelta(milliseconds=1))
TOO_FAST = {
    "message": "Rate limit exceeded the maximum [300] requests within [60] seconds",
    "code": "too.many.requests",
    "status": 429,
    "contextId": "6c1f",
}


def busy(**headers: str) -> Scripted:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status=429, body=TOO_FAST, headers=spelled)


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def test_429_with_seconds_is_waited_for_exactly(platform: PlatformRig) -> None:
    platform.watched.script(THINGS, busy(Retry_After="7"))

    assert platform.client.call(GET_THINGS) == {"things": 7}
    assert platform.clock.waits == [7 * SECOND]


def test_429_with_a_date_is_waited_for_by_the_clock_of_genesys(platform: PlatformRig) -> None:
    # The stand-in's server says the real date, which our hand clock is far from.
    theirs = SystemClock().now()
    assert abs(theirs - platform.clock.now()) > timedelta(minutes=1)
    platform.watched.script(THINGS, busy(Retry_After=http_date(theirs + 9 * SECOND)))

    assert platform.client.call(GET_THINGS) == {"things": 7}
    (wait,) = platform.clock.waits
    assert 6 * SECOND <= wait <= 9 * SECOND


@pytest.mark.parametrize(
    ("raw", "sent", "wait"),
    [
        ("7", None, 7 * SECOND),
        (" 7 ", START, 7 * SECOND),
        ("9" * 1_000, None, timedelta(hours=1)),
        (http_date(START + 9 * SECOND), START, 9 * SECOND),
        (http_date(START + 9 * SECOND), START + 4 * SECOND, 5 * SECOND),
        (http_date(START + 9 * SECOND), None, 9 * SECOND),
        ("Friday, 20-Nov-26 09:00:09 GMT", START, 9 * SECOND),
        ("Fri Nov 20 09:00:09 2026", START, 9 * SECOND),
        (http_date(START - SECOND), START, timedelta(0)),
        (http_date(START + timedelta(days=9)), START, timedelta(hours=1)),
        ("soon", START, None),
        ("-3", START, None),
        ("\u00b2", START, None),
        ("", START, None),
        ("Fri, 99 Nov 2026 09:00:00 GMT", START, None),
    ],
)
def test_retry_after_is_read_in_seconds_and_in_all_three_forms_of_dates(
    raw: str, sent: datetime | None, wait: timedelta | None
) -> None:
    headers = {"Retry-After": raw} | ({"Date": http_date(sent)} if sent else {})

    assert retry_after(headers, now=START) == wait


@pytest.mark.parametrize("wait", ["0", "soon", http_date(START)])
def test_a_retry_after_that_asks_for_no_wait_leaves_it_to_the_back_off(
    platform: PlatformRig, wait: str
) -> None:
    answer = Scripted(status=503, headers={"Retry-After": wait})
    platform.watched.script(THINGS, answer, answer)

    platform.client.call(GET_THINGS)

    assert [round(wait.total_seconds(), 3) for wait in platform.clock.waits] == [1, 2]


def test_503_without_a_word_is_tried_again_with_growing_ceilings() -> None:
    with running_platform(patience=Patience(tries=7)) as platform:
        platform.watched.script(THINGS, *[Scripted(status=503)] * 6)
        platform.client.call(GET_THINGS)

        # The rig draws the highest number there is: these are the ceilings.
        waits = [round(wait.total_seconds(), 3) for wait in platform.clock.waits]
    assert waits == [1, 2, 4, 8, 16, 20]


def test_the_jitter_is_full_from_nothing_to_the_ceiling(
    platform: PlatformRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter([bytes(6), b"\x80" + bytes(5)])
    entropy = platform.foundation.entropy
    real = entropy.bytes
    monkeypatch.setattr(entropy, "bytes", lambda count: next(drawn) if count == 6 else real(count))
    platform.watched.script(THINGS, Scripted(status=503), Scripted(status=503))

    platform.client.call(GET_THINGS)

    assert platform.clock.waits == [timedelta(0), SECOND]


def test_m1_after_three_retries_on_429_there_is_a_clear_error(platform: PlatformRig) -> None:
    platform.watched.script(THINGS, *[busy(Retry_After="2")] * 9)

    with pytest.raises(GenesysDownError) as told:
        platform.client.call(GET_THINGS)

    assert platform.watched.count(THINGS) == 4
    assert "429 too.many.requests 6c1f; gave up after 4 tries" in told.value.detail
    assert told.value.retry_after == 2 * SECOND


def test_a_wait_that_would_pass_the_deadline_is_not_begun(platform: PlatformRig) -> None:
    platform.watched.script(THINGS, busy(Retry_After="40"), busy(Retry_After="40"))

    with pytest.raises(GenesysDownError) as told:
        platform.client.call(GET_THINGS)

    # 40 seconds fit into the minute, 80 do not.
    assert platform.clock.waits == [40 * SECOND]
    assert told.value.retry_after == 40 * SECOND


def test_waiting_for_the_token_counts_against_the_same_deadline(platform: PlatformRig) -> None:
    platform.stand_in.faults.order(Door.TOKEN, Fault(status=429, retry_after=50 * SECOND))
    platform.watched.script(THINGS, busy(Retry_After="11"))

    with pytest.raises(GenesysDownError):
        platform.client.call(GET_THINGS)

    assert platform.clock.waits == [50 * SECOND]


def test_a_platform_that_nobody_serves_is_tried_and_then_said(clock: NotingClock) -> None:
    with nobody_listens() as port:
        client = client_at(f"http://127.0.0.1:{port}", clock)
        with pytest.raises(GenesysDownError, match="gave up after 4 tries"):
            client.call(POST_THINGS)

    assert len(clock.waits) == 3


@pytest.fixture
def clock() -> NotingClock:
    return NotingClock()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def test_a_post_that_timed_out_is_not_made_again(gate: threading.Event) -> None:
    with running_platform(patience=BRIEF) as platform:
        platform.watched.script(THINGS, Scripted(gate=gate))
        with pytest.raises(GenesysSilentError, match="ReadTimeout"):
            platform.client.call(POST_THINGS)
        gate.set()

        assert platform.watched.count(THINGS) == 1


def test_a_get_that_timed_out_is_made_again(gate: threading.Event) -> None:
    with running_platform(patience=BRIEF) as platform:
        platform.watched.script(THINGS, Scripted(gate=gate))

        assert platform.client.call(GET_THINGS) == {"things": 7}
        gate.set()
        assert platform.watched.count(THINGS) == 2


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_post_whose_outcome_is_unknown_is_not_made_again(
    platform: PlatformRig, status: int
) -> None:
    platform.watched.script(THINGS, Scripted(status=status))

    with pytest.raises(GenesysSilentError):
        platform.client.call(POST_THINGS)

    assert platform.watched.count(THINGS) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_post_that_was_turned_away_at_the_door_is_made_again(
    platform: PlatformRig, status: int
) -> None:
    platform.watched.script(THINGS, Scripted(status=status))

    assert platform.client.call(POST_THINGS) == {"things": 7}
    assert platform.watched.count(THINGS) == 2


def test_the_token_request_is_made_again_after_a_time_out(gate: threading.Event) -> None:
    with running_platform(patience=BRIEF) as platform:
        platform.watched.script(TOKEN_PATH, Scripted(gate=gate))

        assert platform.client.call(POST_THINGS) == {"things": 7}
        gate.set()
        assert platform.token_requests == 2


def test_a_server_that_accepts_and_says_nothing_is_left_in_time() -> None:
    clock = SystemClock()
    with never_answers() as port:
        client = client_at(f"http://127.0.0.1:{port}", clock, patience=BRIEF)
        began = clock.now()
        with pytest.raises(GenesysDownError):
            client.call(GET_THINGS)

    assert clock.now() - began < 3 * SECOND


def test_a_byte_now_and_then_does_not_hold_a_call_for_ever(gate: threading.Event) -> None:
    def drops() -> Iterator[bytes]:
        for _ in range(400):
            yield b" "
            if gate.wait(0.05):
                return

    clock = SystemClock()
    patience = Patience(deadline=SECOND)
    with running_platform(clock=clock, patience=patience) as platform:
        platform.watched.script(THINGS, Scripted(pieces=drops))
        began = clock.now()
        with pytest.raises(GenesysSilentError, match="takes too long"):
            platform.client.call(POST_THINGS)

        assert clock.now() - began < 3 * SECOND


def test_an_endless_answer_is_not_read_to_its_end(platform: PlatformRig) -> None:
    sent = []

    def flood() -> Iterator[bytes]:
        for _ in range(2_000):
            sent.append(65_536)
            yield b"x" * 65_536

    platform.watched.script(THINGS, Scripted(pieces=flood))
    with pytest.raises(GenesysSilentError, match="too long"):
        platform.client.call(POST_THINGS)

    assert sum(sent) < 40 * LONGEST_BODY


@pytest.mark.parametrize(
    ("body", "permissions"),
    [
        (
            {
                "code": "missing.any.permissions",
                "message": "One of these is needed: [conversation:webmessaging:create]",
                "contextId": "9e2a",
            },
            ("conversation:webmessaging:create",),
        ),
        (
            {
                "code": "missing.permissions",
                "message": "{permissions}",
                "messageParams": {"permissions": "[gdpr:request:add, gdpr:request:*]"},
            },
            ("gdpr:request:add", "gdpr:request:*"),
        ),
        ({"code": "not.authorized", "message": "No."}, ()),
        ({"message": 7, "messageParams": [1]}, ()),
    ],
)
def test_403_names_the_missing_permission(
    platform: PlatformRig, body: dict[str, Any], permissions: tuple[str, ...]
) -> None:
    platform.watched.script(THINGS, Scripted(status=403, body=body))

    with pytest.raises(GenesysPermissionError) as told:
        platform.client.call(POST_THINGS)

    assert told.value.permissions == permissions
    assert (", ".join(permissions) or "does not say which") in told.value.detail
    assert platform.watched.count(THINGS) == 1


@pytest.mark.parametrize("status", [302, 400, 404, 413])
def test_a_refusal_is_said_with_its_code_and_context_and_not_repeated(
    platform: PlatformRig, status: int
) -> None:
    body = {"code": "invalid.value", "message": "secret words\nof ours", "contextId": "77aa"}
    headers = {"Location": f"{platform.url}{THINGS}"}
    platform.watched.script(THINGS, Scripted(status=status, body=body, headers=headers))

    with pytest.raises(GenesysRefusedError) as told:
        platform.client.call(GET_THINGS)

    assert told.value.detail == f"GET {THINGS}: {status} invalid.value 77aa"
    assert platform.watched.count(THINGS) == 1


def test_an_answer_without_a_body_is_an_empty_one(platform: PlatformRig) -> None:
    platform.watched.script(THINGS, Scripted(status=204, body=""))

    assert platform.client.call(POST_THINGS) == {}


def test_what_was_sent_and_accepted_arrives_as_json(platform: PlatformRig) -> None:
    platform.client.call(POST_THINGS)

    assert platform.watched.seen[-1].json == {"a": 1}


@pytest.mark.parametrize(
    "url",
    ["http://login.mypurecloud.com", "https://login.mypurecloud.com/x", "https://a@b.example"],
)
def test_a_secret_is_never_sent_in_the_clear_or_to_an_odd_place(
    clock: NotingClock, url: str
) -> None:
    with pytest.raises(SettingsError):
        client_at(url, clock)


def test_a_path_cannot_lead_to_another_host(platform: PlatformRig) -> None:
    cloud = GenesysCloud(platform.registration, clock=platform.clock)
    odd = PlatformRequest(method="GET", path="@evil.example/")

    with pytest.raises(ValueError, match="slash"):
        cloud.send(odd, token="t", limit=SECOND)


def test_a_cookie_of_one_answer_is_not_sent_with_the_next(platform: PlatformRig) -> None:
    platform.watched.script(THINGS, Scripted(headers={"Set-Cookie": "who=somebody; Path=/"}))

    platform.client.call(GET_THINGS)
    platform.client.call(GET_THINGS)

    assert [one.cookie for one in platform.watched.seen] == [""] * 3
