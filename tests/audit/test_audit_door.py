"""The doors of the auditor: who is let in, and what they get."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from bff_rig import BRAND, CSRF, BffRig, Browser, error_of, running_bff

from bff.record_ports import GuestRow
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent
from bff.records.record_house import Records

TOKEN = "token-of-the-auditor-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
STREAM = {"Accept": "application/x-ndjson"}
GUEST = "7d1f9f54-4f0e-4b3e-9d0a-5a1f6a4b2c11"


@pytest.fixture
def bff(tmp_path: Path) -> Iterator[BffRig]:
    with running_bff(tmp_path, BFF_AUDIT_TOKEN=TOKEN) as rig:
        records_of(rig).database.upgrade()
        yield rig


@pytest.fixture
def auditor(bff: BffRig) -> Browser:
    return bff.browser()


def records_of(bff: BffRig) -> Records:
    assert bff.services.records is not None
    return bff.services.records


def note(bff: BffRig, count: int, *, guest_id: str | None = None) -> None:
    for number in range(count):
        bff.clock.advance(timedelta(seconds=1))
        records_of(bff).trail.note(
            AuditEvent(
                event_id=f"{guest_id}-{number}",
                at=bff.clock.now(),
                action=Action.GUEST_CREATED,
                guest_id=guest_id,
                source="192.0.2.7",
                details={"number": number},
            )
        )
    records_of(bff).settle()


def basic(name: str, password: str) -> dict[str, str]:
    raw = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {raw}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"bearer {TOKEN.upper()}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer ünïcödé"},
        {"Authorization": "Basic not-base64"},
        basic(TOKEN, ""),
        basic("officer", "wrong"),
        {"Authorization": f"Digest {TOKEN}"},
    ],
)
@pytest.mark.parametrize("path", ["/records/audit", f"/records/guests/{GUEST}"])
def test_whoever_lacks_the_token_learns_nothing(
    bff: BffRig, auditor: Browser, path: str, headers: dict[str, str]
) -> None:
    note(bff, 1, guest_id=GUEST)

    answer = auditor.get(path, **headers)

    assert answer.status_code == 401
    assert error_of(answer) == "auditor_unknown"
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert "login_url" not in answer.text
    assert "192.0.2.7" not in answer.text


def test_without_a_token_in_the_settings_there_are_no_doors(tmp_path: Path) -> None:
    with running_bff(tmp_path) as bff:
        for path in ("/records/audit", f"/records/guests/{GUEST}"):
            answer = bff.browser().get(path, **BEARER)
            assert answer.status_code == 404
            assert error_of(answer) == "records_off"


def test_wrong_tokens_are_counted_and_stand_in_the_trail(bff: BffRig, auditor: Browser) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    statuses = [auditor.get("/records/audit", **wrong).status_code for _ in range(15)]
    records_of(bff).settle()

    assert statuses == [401] * 10 + [429] * 5
    answer = auditor.get("/records/audit", **BEARER)
    refused = [one for one in answer.get_json()["events"] if one["outcome"] == "refused"]
    assert len(refused) == 10
    assert {one["source"] for one in refused} == {"127.0.0.1"}
    assert "wrong" not in json.dumps(refused)


def test_no_other_site_may_read_an_answer(auditor: Browser) -> None:
    answer = auditor.get("/records/audit", **BEARER, Origin=BRAND)

    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_cookie_opens_nothing_here(bff: BffRig) -> None:
    person = bff.browser()
    person.sign_in()

    assert person.get("/records/audit").status_code == 401


def test_nothing_is_changed_at_these_doors(auditor: Browser) -> None:
    for path in ("/records/audit", f"/records/guests/{GUEST}"):
        assert auditor.post(path, headers={**CSRF, **BEARER}).status_code == 405


def pages(auditor: Browser, path: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = []
    following: str | None = path
    while following is not None:
        answer = auditor.get(following, **BEARER).get_json()
        read += answer["events"]
        following = answer["next"]
    return read


def test_pages_follow_each_other_and_miss_nothing(bff: BffRig, auditor: Browser) -> None:
    note(bff, 25, guest_id="a")

    read = pages(auditor, "/records/audit?limit=10")

    assert [one["details"]["number"] for one in read] == list(range(25))


def test_reading_without_an_end_ends_although_reading_writes(bff: BffRig, auditor: Browser) -> None:
    note(bff, 5, guest_id="a")
    read: list[str] = []
    following: Any = "/records/audit?limit=1"
    for _ in range(20):
        bff.clock.advance(timedelta(seconds=1))
        answer = auditor.get(following, **BEARER).get_json()
        records_of(bff).settle()
        read += [one["event_id"] for one in answer["events"]]
        following = answer["next"]
        if following is None:
            break

    assert following is None
    assert read[:5] == [f"a-{number}" for number in range(5)]


def test_filters_come_along_from_page_to_page(bff: BffRig, auditor: Browser) -> None:
    note(bff, 5, guest_id="a")
    note(bff, 5, guest_id="b")

    read = pages(auditor, "/records/audit?limit=2&guest=b&action=guest_created&from=2026-11-20")

    assert [one["event_id"] for one in read] == [f"b-{number}" for number in range(5)]


def test_a_stream_has_everything_and_says_that_it_is_complete(
    bff: BffRig, auditor: Browser
) -> None:
    note(bff, 1200, guest_id="a")

    answer = auditor.get("/records/audit?to=2026-11-20", **BEARER, **STREAM)
    lines = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.mimetype == "application/x-ndjson"
    assert [one["event_id"] for one in lines[:-1]] == [f"a-{number}" for number in range(1200)]
    assert lines[-1] == {"end": True, "events": 1200}


@pytest.mark.parametrize(
    "query",
    [
        *("from=x", "to=2026-02-30", "from=2026-11-21&to=2026-11-20", "action=x", "cursor=x"),
        *("limit=0", "limit=501", "limit=x", "limit=-1", "limit=٣", "guest=", "guest=a%00b"),
        *("from=2026-11-20&from=2026-11-20", "from=2026-11-20T09:00:00+01:00"),
        "limit=" + "9" * 5000,
    ],
)
def test_a_question_that_makes_no_sense_is_refused(auditor: Browser, query: str) -> None:
    answer = auditor.get(f"/records/audit?{query}", **BEARER)

    assert answer.status_code == 400
    assert error_of(answer) == "request_refused"


def test_nonsense_is_refused_before_a_stream_too(auditor: Browser) -> None:
    answer = auditor.get("/records/audit?limit=x", **BEARER, **STREAM)

    assert (answer.status_code, answer.get_json()["parameter"]) == (400, "limit")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/records/audit?nonsense=1", "nonsense"),
        ("/records/audit?From=2026-11-20", "From"),
        ("/records/audit?from%20=2026-11-20", "from "),
        ("/records/audit?guests=g", "guests"),
        ("/records/audit?=x", ""),
        ("/records/audit?from[]=2026-11-20", "from[]"),
        ("/records/audit?limit=1&limit=1", "limit"),
        ("/records/audit?cursor=a&cursor=b", "cursor"),
        (f"/records/audit?{'n' * 5000}=1", "n" * 64),
        (f"/records/guests/{GUEST}?nonsense=1", "nonsense"),
        (f"/records/guests/{GUEST}?from=2026-11-20", "from"),
    ],
)
def test_a_parameter_that_is_not_known_or_comes_twice_is_refused_by_name(
    bff: BffRig, auditor: Browser, path: str, name: str
) -> None:
    answer = auditor.get(path, **BEARER)

    assert (answer.status_code, error_of(answer)) == (400, "request_refused")
    assert answer.get_json()["parameter"] == name
    # Who has no token learns no names either, and what was refused was not read.
    assert auditor.get(path).status_code == 401
    records_of(bff).settle()
    events = auditor.get("/records/audit", **BEARER).get_json()["events"]
    assert not [one for one in events if one["action"] == "report_read"]


@pytest.mark.parametrize("field", ["from", "to", "action", "guest", "cursor", "limit"])
def test_sql_in_a_question_is_only_text(bff: BffRig, auditor: Browser, field: str) -> None:
    note(bff, 1, guest_id="a")

    answer = auditor.get(f"/records/audit?{field}=' OR 1=1; DROP TABLE audit_events; --", **BEARER)

    assert answer.status_code == 400 or answer.get_json()["events"] == []
    assert len(records_of(bff).keeper.rows(after=0, limit=10)) >= 1


@pytest.mark.parametrize("headers", [{}, STREAM])
def test_a_database_that_is_away_is_told_before_anything_is_sent(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    with running_bff(tmp_path, BFF_AUDIT_TOKEN=TOKEN, BFF_RECORDS_URL=AWAY) as bff:
        answer = bff.browser().get("/records/audit", **BEARER, **headers)

    assert answer.status_code == 503
    assert error_of(answer) == "records_unavailable"
    assert "Retry-After" in answer.headers


AWAY = "postgresql://nobody@127.0.0.1:1/none"


def test_that_somebody_read_is_itself_an_event(bff: BffRig, auditor: Browser) -> None:
    auditor.get("/records/audit?action=guest_erased", **BEARER)
    bff.clock.advance(timedelta(seconds=1))
    auditor.get(f"/records/guests/{GUEST}", **basic("Jo Winter", TOKEN))
    records_of(bff).settle()

    first, second = records_of(bff).keeper.rows(after=0, limit=9)

    assert (first.action, first.actor_kind, first.actor) == ("report_read", "auditor", "")
    assert json.loads(first.details) == {"action": "guest_erased", "how": "page of the report"}
    assert (second.actor_kind, second.actor) == ("auditor", "Jo Winter")
    assert second.guest == records_of(bff).keys.pseudonym(GUEST)
    assert second.source == "127.0.0.1"
    assert GUEST not in second.details


def test_the_page_says_what_is_held_and_who_touched_it(bff: BffRig, auditor: Browser) -> None:
    now = bff.clock.now()
    row = GuestRow(guest_id=GUEST, tenant="t", device="ab" * 32, created_at=now, seen_at=now)
    records_of(bff).guest_rows.keep(row, pseudonym=records_of(bff).keys.pseudonym(GUEST))
    note(bff, 2, guest_id=GUEST)
    note(bff, 1, guest_id="another")

    answer = auditor.get(f"/records/guests/{GUEST}", **basic("Jo Winter", TOKEN))

    assert answer.status_code == 200
    assert "keyed fingerprint" in answer.text
    assert answer.text.count("<strong>guest created</strong>") == 2
    assert answer.text.count("192.0.2.7") == 2
    assert "records.css" in answer.text
    assert "<style>" not in answer.text


def test_a_page_about_nobody_says_so(auditor: Browser) -> None:
    text = auditor.get("/records/guests/nobody", **BEARER).text

    assert "Nothing. No record of this guest is held" in text
    assert "No event of the audit trail is about this person" in text


def test_whatever_stands_in_the_trail_is_no_markup(bff: BffRig, auditor: Browser) -> None:
    wicked = "<img src=x onerror=alert(1)>"
    records_of(bff).trail.note(
        AuditEvent(
            event_id="1",
            at=bff.clock.now(),
            action=Action.GUEST_CREATED,
            actor=Actor(kind=ActorKind.PERSON, name=wicked),
            guest_id=wicked,
            source=wicked,
            details={wicked: wicked},
        )
    )
    records_of(bff).settle()

    text = auditor.get(f"/records/guests/{quote(wicked)}", **BEARER).text

    assert "<img" not in text
    assert text.count("&lt;img") >= 5
