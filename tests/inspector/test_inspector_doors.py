"""Who may be recorded, who may look, and what the doors say to everybody else."""

from pathlib import Path
from typing import Any

import pytest
from bff_rig import BFF, BRAND, BffRig, Browser, environment, error_of, running_bff

from bff.errors import SettingsError
from bff.settings import Settings
from bff.web.cookies import RECORDING

PAGE = {"Sec-Fetch-Mode": "navigate"}
HERE = {"X-CSRF": "1", "Origin": BFF, "Sec-Fetch-Mode": "cors"}
BATCH = {
    "tab": "aaaa1111",
    "sent": 1_000,
    "events": [{"t": 900, "step": "bus", "facts": {"event": "Auth.ready", "n": 1}}],
}


def recorded(rig: BffRig, person: str | None = None) -> Browser:
    """Return a browser that is recorded, signed in as that person if one is named."""
    browser = rig.browser()
    assert browser.post("/inspector/start", {}).status_code == 201
    if person is not None:
        browser.sign_in(person)
    return browser


def operator(rig: BffRig) -> Browser:
    browser = rig.browser()
    browser.sign_in("zoe")
    return browser


def listed(browser: Browser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get("/inspector/recordings").get_json()["recordings"]
    return found


def invited(rig: BffRig, label: str = "Ticket 4711") -> Browser:
    link = operator(rig).post("/inspector/invitations", {"label": label}, headers=HERE).get_json()
    browser = rig.browser()
    key = link["link"].partition("#messenger-inspect=")[2]
    assert browser.post("/inspector/start", {"key": key}).status_code == 201
    return browser


def test_switched_off_there_is_no_such_door(tmp_path: Path) -> None:
    with running_bff(tmp_path) as bff:
        browser = bff.browser()
        answers = [
            browser.get("/inspector"),
            browser.get("/inspector/recordings"),
            browser.get("/inspector/recordings/any"),
            browser.get("/inspector/recordings/any/export"),
            *(
                browser.post(f"/inspector/{door}", {})
                for door in ("start", "events", "stop", "invitations")
            ),
        ]

    assert {(one.status_code, error_of(one)) for one in answers} == {(404, "inspector_off")}


def test_where_everybody_may_each_browser_sees_itself_and_nobody_else(everybody: BffRig) -> None:
    mine, theirs = recorded(everybody, "amira"), recorded(everybody)
    assert mine.post("/inspector/events", BATCH).status_code == 204

    own, other = listed(mine), listed(theirs)

    assert [one["own"] for one in own] == [True]
    told = mine.get(f"/inspector/recordings/{own[0]['id']}").get_json()
    assert "Auth.ready" in [one["words"] for one in told["events"]]
    for path in ("", "/export"):
        refused = mine.get(f"/inspector/recordings/{other[0]['id']}{path}")
        assert (refused.status_code, error_of(refused)) == (404, "recording_unknown")


def test_a_stranger_where_only_operators_look_is_refused(guarded: BffRig) -> None:
    watched = listed(operator(guarded))
    stranger, customer = guarded.browser(), guarded.browser()
    customer.sign_in("amira")

    for path in ("recordings", "recordings/any", "recordings/any/export"):
        asked = stranger.get(f"/inspector/{path}")
        assert (asked.status_code, error_of(asked)) == (401, "login_required")
        asked = customer.get(f"/inspector/{path}")
        assert (asked.status_code, error_of(asked)) == (403, "operator_unknown")
    assert watched == []


def test_a_customer_is_told_in_plain_words_that_the_page_is_not_theirs(guarded: BffRig) -> None:
    customer = guarded.browser()
    customer.sign_in("amira")

    page = customer.get("/inspector", **PAGE)

    assert page.status_code == 403
    assert "Recordings are for operators of this service" in page.text


def test_nobody_is_recorded_without_an_invitation_in_production(guarded: BffRig) -> None:
    browser = guarded.browser()

    for body in ({}, {"key": "guessed"}, {"key": ""}):
        refused = browser.post("/inspector/start", body)
        assert (refused.status_code, error_of(refused)) == (403, "recording_refused")

    assert browser.cookie(RECORDING) is None


def test_an_operator_invites_a_browser_and_looks_at_it(guarded: BffRig) -> None:
    customer = invited(guarded)
    customer.sign_in("amira")
    customer.post("/inspector/events", BATCH)

    (found,) = listed(operator(guarded))

    assert found["label"] == "Ticket 4711"
    told = operator(guarded).get(f"/inspector/recordings/{found['id']}").get_json()
    words = [one["words"] for one in told["events"]]
    assert "Signed in; a session begins" in words
    assert "Auth.ready" in words
    refused = customer.get(f"/inspector/recordings/{found['id']}")
    assert refused.status_code == 403


def test_an_invitation_that_was_used_records_nobody_else(guarded: BffRig) -> None:
    link = operator(guarded).post("/inspector/invitations", {}, headers=HERE).get_json()["link"]
    key = link.partition("#messenger-inspect=")[2]
    assert link.startswith(f"{BRAND}/#")

    first = guarded.browser().post("/inspector/start", {"key": key})
    second = guarded.browser().post("/inspector/start", {"key": key})

    assert (first.status_code, second.status_code) == (201, 403)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-CSRF": "1", "Origin": BRAND}, "origin_refused"),
        ({"X-CSRF": "1", "Origin": "http://evil.example"}, "origin_refused"),
        ({"X-CSRF": "1"}, "origin_refused"),
        ({"Origin": BFF}, "csrf_header_missing"),
    ],
)
def test_only_the_inspectors_own_page_makes_invitations(
    guarded: BffRig, headers: dict[str, str], code: str
) -> None:
    refused = operator(guarded).post("/inspector/invitations", {}, headers=headers)

    assert (refused.status_code, error_of(refused)) == (403, code)


def test_a_label_is_words_and_nothing_else(guarded: BffRig) -> None:
    refused = operator(guarded).post(
        "/inspector/invitations", {"label": "<b>Amira</b> a@b.example"}, headers=HERE
    )

    assert (refused.status_code, error_of(refused)) == (400, "request_refused")


def test_other_sites_neither_start_nor_report(everybody: BffRig) -> None:
    browser = recorded(everybody)
    evil = {"X-CSRF": "1", "Origin": "http://evil.example"}

    for door in ("start", "events", "stop"):
        assert browser.post(f"/inspector/{door}", BATCH, headers=evil).status_code == 403


def test_a_browser_goes_on_with_its_recording_and_can_stop_it(everybody: BffRig) -> None:
    browser = recorded(everybody)
    secret = browser.cookie(RECORDING)

    again = browser.post("/inspector/start", {})
    assert (again.status_code, browser.cookie(RECORDING)) == (200, secret)
    assert len(listed(browser)) == 1

    assert browser.post("/inspector/stop", {}).status_code == 204
    assert browser.post("/inspector/events", BATCH).status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {**BATCH, "tab": "<b>"}, {**BATCH, "sent": "now"}, {**BATCH, "events": {}}],
)
def test_what_is_no_batch_is_refused(everybody: BffRig, body: dict[str, Any]) -> None:
    refused = recorded(everybody).post("/inspector/events", body)

    assert (refused.status_code, error_of(refused)) == (400, "request_refused")


def test_a_flood_of_batches_is_slowed_down(everybody: BffRig) -> None:
    browser = recorded(everybody)
    empty = {**BATCH, "events": []}

    answers = [browser.post("/inspector/events", empty).status_code for _ in range(241)]

    assert answers[:240] == [204] * 240
    assert answers[240] == 429


def test_the_page_is_strict_and_knows_nothing_by_itself(everybody: BffRig) -> None:
    page = recorded(everybody, "amira").get("/inspector", **PAGE)

    policy = page.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert "trusted-types 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert "Amira" not in page.text
    assert " style=" not in page.text


def test_an_export_is_a_file_with_events_and_findings(everybody: BffRig) -> None:
    browser = recorded(everybody, "amira")
    late = {"t": 900, "step": "events_lost", "facts": {"count": 3, "n": 2}}
    browser.post("/inspector/events", {**BATCH, "events": [late]})
    (found,) = listed(browser)

    answer = browser.get(f"/inspector/recordings/{found['id']}/export")

    assert answer.headers["Content-Disposition"].startswith('attachment; filename="messenger-rec')
    told = answer.get_json()
    assert (told["format"], told["version"]) == ("messenger-bff recording", 1)
    assert [one["code"] for one in told["findings"]] == ["recording_incomplete", "clock_skew"][::-1]


def test_only_what_is_new_comes_after_the_first_time(everybody: BffRig) -> None:
    browser = recorded(everybody)
    (found,) = listed(browser)
    path = f"/inspector/recordings/{found['id']}"
    browser.post("/inspector/events", BATCH)
    first = browser.get(path).get_json()
    browser.post("/inspector/events", {**BATCH, "tab": "bbbb2222"})

    second = browser.get(f"{path}?after={first['cursor']}").get_json()

    assert [one["tab"] for one in first["events"]] == ["aaaa1111"]
    assert [one["tab"] for one in second["events"]] == ["bbbb2222"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BFF_INSPECTOR": "operators"}, "BFF_INSPECTOR is operators"),
        ({"BFF_INSPECTOR_OPERATORS": "zoe"}, "BFF_INSPECTOR_OPERATORS has an entry"),
        ({"BFF_INSPECTOR": "on"}, "BFF_INSPECTOR"),
    ],
)
def test_settings_that_let_nobody_look_are_refused(changes: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read(environment("https://id.example", **changes))

    assert words in refused.value.detail
