"""The deletion callback: who may call it, when, how often, and what is answered."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bff_rig import BFF, BffRig, error_of, running_bff
from erasure_rig import SECRET
from werkzeug.test import TestResponse

from bff.errors import RecordsDownError, StoreDownError
from bff.records.guest_memory import GuestFacts
from bff.records.record_house import Records

PATH = "/webhooks/guest-deletion"
WRONG = "another-secret-0123456789-abcdefghij"


@pytest.fixture
def bff(tmp_path: Path) -> Iterator[BffRig]:
    with running_bff(tmp_path, BFF_DELETION_SECRET=SECRET) as rig:
        records_of(rig).prepare()
        yield rig


def records_of(bff: BffRig) -> Records:
    assert bff.services.records is not None
    return bff.services.records


def remember(bff: BffRig, guest_id: str = "guest-1") -> None:
    facts = GuestFacts(guest_id=guest_id, at=bff.clock.now(), profile={"name": "Amira"})
    assert records_of(bff).guests.memory.write(facts)


def body_for(guest_id: str = "guest-1", **more: Any) -> bytes:
    said = {"guestId": guest_id, "engagementId": "e-1", "timestamp": "2026-11-21T09:00:00Z"}
    return json.dumps({**said, **more}).encode()


def moment(bff: BffRig, off: timedelta = timedelta(0)) -> str:
    return str(int((bff.clock.now() + off).timestamp()))


def signature(when: str, body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{when}.".encode() + body, hashlib.sha256).hexdigest()


def call(bff: BffRig, body: bytes, **headers: str) -> TestResponse:
    when = headers.pop("when", moment(bff))
    chosen = {
        "X-Signature-Timestamp": when,
        "X-Signature": signature(when, body),
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    sent = {name: value for name, value in chosen.items() if value}
    return bff.app.test_client().post(PATH, base_url=BFF, data=body, headers=sent)


def refusals(bff: BffRig) -> list[str]:
    records = records_of(bff)
    records.settle()
    rows = records.keeper.rows(after=0, limit=1000)
    return [json.loads(row.details)["why"] for row in rows if row.action == "erasure_refused"]


def actions(bff: BffRig) -> list[str]:
    records = records_of(bff)
    records.settle()
    return [row.action for row in records.keeper.rows(after=0, limit=1000)]


def test_a_signed_call_erases_and_a_new_one_finds_it_done(bff: BffRig) -> None:
    remember(bff)
    answer = call(bff, body_for())
    assert (answer.status_code, answer.get_json()) == (200, {"status": "erased"})
    assert not records_of(bff).guests.erasure.knows("guest-1")
    bff.clock.advance(timedelta(seconds=1))
    again = call(bff, body_for())
    assert (again.status_code, again.get_json()) == (200, {"status": "already_erased"})
    assert actions(bff) == ["erasure_asked", "guest_erased"]
    rows = records_of(bff).keeper.rows(after=0, limit=10)
    assert {row.actor_kind for row in rows} == {"genesys"}
    assert rows[0].source == "127.0.0.1"


def test_a_call_that_is_played_again_is_refused_however_it_is_written(bff: BffRig) -> None:
    remember(bff)
    when, body = moment(bff), body_for()
    assert call(bff, body, when=when).status_code == 200
    for spelled in (signature(when, body), signature(when, body).upper()):
        again = call(bff, body, when=when, X_Signature=spelled)
        assert (again.status_code, error_of(again)) == (401, "signature_refused")
    assert refusals(bff) == ["the signature was used before"] * 2


def test_a_signature_is_remembered_for_as_long_as_it_could_be_good(bff: BffRig) -> None:
    remember(bff)
    when, body = moment(bff, timedelta(minutes=4, seconds=59)), body_for()
    assert call(bff, body, when=when).status_code == 200
    for _ in range(11):
        bff.clock.advance(timedelta(seconds=59))
        assert call(bff, body, when=when).status_code == 401


def test_of_two_that_come_at_once_one_is_taken(bff: BffRig) -> None:
    remember(bff)
    when, body = moment(bff), body_for()
    together, came = threading.Barrier(4), []

    def send() -> None:
        together.wait(10)
        came.append(call(bff, body, when=when).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(came) == [200, 401, 401, 401]


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"X_Signature": ""}, "the signature is missing or malformed"),
        ({"X_Signature_Timestamp": ""}, "the signature is missing or malformed"),
        ({"X_Signature": "0" * 64}, "the signature is wrong"),
        ({"X_Signature": "0" * 63}, "the signature is missing or malformed"),
        ({"X_Signature": "0" * 62 + " 0"}, "the signature is missing or malformed"),
        ({"X_Signature": "é" * 64}, "the signature is missing or malformed"),
        ({"X_Signature_Timestamp": "1"}, "the signature is wrong"),
        ({"X_Signature_Timestamp": "-1"}, "the signature is missing or malformed"),
        ({"X_Signature_Timestamp": "١٢٣"}, "the signature is missing or malformed"),
        ({"X_Signature_Timestamp": "9" * 400}, "the signature is missing or malformed"),
    ],
)
def test_without_the_right_signature_nothing_happens(
    bff: BffRig, headers: dict[str, str], why: str
) -> None:
    remember(bff)
    answer = call(bff, body_for(), **headers)
    assert (answer.status_code, error_of(answer)) == (401, "signature_refused")
    assert records_of(bff).guests.erasure.knows("guest-1")
    assert refusals(bff) == [why]


def test_a_signature_of_another_secret_body_or_moment_is_none(bff: BffRig) -> None:
    remember(bff)
    when, body = moment(bff), body_for()
    forged = [
        signature(when, body, WRONG),
        signature(when, body_for("guest-2")),
        signature(moment(bff, timedelta(seconds=1)), body),
        hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
    ]
    for one in forged:
        assert call(bff, body, when=when, X_Signature=one).status_code == 401
    assert records_of(bff).guests.erasure.knows("guest-1")


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_moment_within_five_minutes_is_good(bff: BffRig, seconds: int) -> None:
    remember(bff)
    assert call(bff, body_for(), when=moment(bff, timedelta(seconds=seconds))).status_code == 200


@pytest.mark.parametrize("seconds", [-302, 302])
def test_a_moment_farther_off_is_refused_though_signed(bff: BffRig, seconds: int) -> None:
    remember(bff)
    answer = call(bff, body_for(), when=moment(bff, timedelta(seconds=seconds)))
    assert answer.status_code == 401
    assert refusals(bff) == ["the signature is too old or too new"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        b"[" * 4000,
        body_for(""),
        body_for("a b"),
        body_for("x" * 513),
        body_for("guest\x00"),
        body_for(guestId=7),
        body_for(guestId=None),
        body_for(engagementId=[]),
        body_for(timestamp={}),
        body_for(timestamp=True),
    ],
)
def test_what_is_signed_and_malformed_is_told_apart(bff: BffRig, body: bytes) -> None:
    answer = call(bff, body)
    assert (answer.status_code, error_of(answer)) == (400, "request_refused")
    assert len(refusals(bff)) == 1


def test_an_unknown_guest_is_told_to_whoever_signed_and_to_nobody_else(bff: BffRig) -> None:
    answer = call(bff, body_for("nobody"))
    assert (answer.status_code, error_of(answer)) == (404, "guest_unknown")
    assert call(bff, body_for("nobody"), X_Signature="0" * 64).status_code == 401
    assert set(refusals(bff)) == {"nothing is known of this guest", "the signature is wrong"}


def test_a_large_body_is_refused_before_it_is_looked_at(bff: BffRig) -> None:
    answer = call(bff, b" " * 4097)
    assert (answer.status_code, error_of(answer)) == (413, "request_too_large")
    assert call(bff, body_for("nobody").ljust(4096)).status_code == 404
    assert "the body is too large" in refusals(bff)


@pytest.mark.parametrize("fault", [RecordsDownError, StoreDownError])
def test_what_could_not_be_done_may_be_asked_again_with_the_same_call(
    bff: BffRig, fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(bff)
    when, body = moment(bff), body_for()
    erasure = records_of(bff).guests.erasure

    def away(*_: Any, **__: Any) -> None:
        raise fault("away")

    with monkeypatch.context() as broken:
        broken.setattr(erasure._erasures, "finish", away)
        answer = call(bff, body, when=when)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert call(bff, body, when=when).status_code == 200


def test_a_flood_of_refusals_does_not_fill_the_trail(bff: BffRig) -> None:
    for _ in range(30):
        assert call(bff, body_for(), X_Signature="0" * 64).status_code == 401
    assert len(refusals(bff)) == 5
    bff.clock.advance(timedelta(minutes=1, seconds=1))
    call(bff, body_for(), X_Signature="0" * 64)
    assert len(refusals(bff)) == 6


def test_without_a_secret_there_is_no_such_door(tmp_path: Path) -> None:
    with running_bff(tmp_path) as bff:
        answer = call(bff, body_for())
        assert (answer.status_code, error_of(answer)) == (404, "records_off")


def test_no_script_and_no_cookie_is_needed_and_only_posting_is_possible(bff: BffRig) -> None:
    remember(bff)
    assert bff.app.test_client().get(PATH, base_url=BFF).status_code == 405
    assert call(bff, body_for(), Origin="https://evil.example").status_code == 200
    assert "Access-Control-Allow-Origin" not in call(bff, body_for()).headers
