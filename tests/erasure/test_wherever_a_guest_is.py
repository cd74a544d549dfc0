"""Erased and found wherever a guest is: here only, set aside, beside another, in an older store."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from erasure_rig import ASKER, BROWSER, DEVICE, PROFILE, TOKEN, ErasureRig, erasure_rig
from postgres_server import PostgresServer
from records_rig import database
from sqlalchemy import text
from typed_commands import Typist, typist

from bff.adapters.sql_audit import SqlAudit
from bff.adapters.sql_erasure import SqlErasures
from bff.errors import RecordsRefusedError
from bff.guests.guest_binding import BINDINGS
from bff.records.archive import Archive
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent
from bff.records.erasure import Erased
from bff.records.guest_memory import DESK, GuestFacts
from bff.records.outbox import Letter
from bff.simulator.genesys_faults import Door, Fault

AMIRA = "pairwise-of-amira"
PHONE = "+491701234567"


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Typist]:
    with typist(tmp_path, monkeypatch, capsys, BFF_PROFILE_FIELDS="mobile") as made:
        yield made


def waiting_letter(rig: ErasureRig, guest_id: str) -> Letter:
    """Return what waits when a guest is remembered, and let it be delivered."""
    facts = GuestFacts(guest_id=guest_id, at=rig.clock.now(), profile=PROFILE, genesys_token=TOKEN)
    rig.guests.memory.remember(facts)
    (letter,) = [one for one in rig.records.outbox.letters() if one.desk == DESK]
    rig.records.settle()
    return letter


def set_aside(rig: ErasureRig, letter: Letter, number: int = 1) -> None:
    rig.records.outbox.dead.put(f"guest.x.{number}", letter, why="refused_by_database")


def letter_of_before(rig: ErasureRig, guest_id: str, **more: Any) -> Letter:
    """Return a letter as the version before wrote them, which is not encrypted."""
    values = {"guest_id": guest_id, "at": rig.clock.now().isoformat(), "profile": PROFILE}
    return Letter(desk=DESK, body=json.dumps({**values, **more}))


def test_a_person_with_a_live_session_and_nothing_else_is_found(operator: Typist) -> None:
    with operator.records() as rig:
        step = rig.bind("guest-1")
        rig.bindings.step_up(step.session_id, AMIRA)
        rig.bind("guest-2", person=AMIRA)
        rig.bind("guest-3", person="pairwise-of-zoe")
        ended = rig.bind("guest-4", person=AMIRA)
        rig.bindings.end(ended.session_id)
    exported = json.loads(operator.type("export", "--person", AMIRA).out)
    assert {one["guest_id"] for one in exported} == {"guest-1", "guest-2"}
    done = operator.type("erase", "--person", AMIRA, "--yes")
    assert sorted(done.out.splitlines()) == ["guest-1: erased", "guest-2: erased"]
    with operator.records() as rig:
        assert rig.guests.live.of_person(AMIRA) == []
        assert rig.guests.live.of("guest-3")
    assert operator.type("erase", "--person", AMIRA).code == 1


@pytest.mark.parametrize(
    "named", [("--email", "AMIRA@example.com."), ("--person", AMIRA), ("--phone", PHONE)]
)
def test_who_was_set_aside_is_found_exported_and_erased(
    operator: Typist, named: tuple[str, str]
) -> None:
    profile = {**PROFILE, "mobile": PHONE}
    with operator.records() as rig:
        known = {"person": AMIRA, "profile": profile, "email_verified": True}
        set_aside(rig, letter_of_before(rig, "guest-1", **known))
    exported = json.loads(operator.type("export", *named).out)
    assert [one["profile"] for one in exported["waiting"]] == [profile]
    assert operator.type("erase", *named, "--yes").out == "guest-1: erased\n"
    assert operator.type("erase", *named).code == 1
    assert PROFILE["email"] not in operator.type("export", "guest-1").out


def test_what_was_set_aside_of_an_erased_guest_is_gone_and_nothing_else(
    on_sqlite: ErasureRig,
) -> None:
    rig = on_sqlite
    rig.remember()
    set_aside(rig, waiting_letter(rig, "guest-1"), 1)
    set_aside(rig, letter_of_before(rig, "guest-1"), 2)
    set_aside(rig, letter_of_before(rig, "guest-2"), 3)
    rig.records.outbox.dead.put("audit.x.4", Letter(desk="audit", body="{}"), why="malformed")
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    assert rig.records.outbox.dead.ids() == ["audit.x.4", "guest.x.3"]


def test_a_retried_letter_brings_no_erased_guest_back(on_sqlite: ErasureRig) -> None:
    rig = on_sqlite
    letters = (waiting_letter(rig, "guest-1"), letter_of_before(rig, "guest-1"))
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    for number, letter in enumerate(letters):
        set_aside(rig, letter, number)
    for dead in rig.records.outbox.dead.all():
        assert rig.records.outbox.retry(dead)
    rig.records.settle()
    assert rig.guests.rows.find("guest-1") is None
    assert rig.records.outbox.length == 0
    assert rig.records.outbox.dead.ids() == []


def test_a_store_that_came_back_older_opens_no_session_of_an_erased_guest(
    on_sqlite: ErasureRig,
) -> None:
    rig = on_sqlite
    rig.remember()
    bound = rig.bind()
    name = f"{BINDINGS}:{bound.session_id}"
    before = rig.foundation.store.get(name)
    assert before is not None
    rig.guests.erasure.ask("guest-1", ASKER)
    rig.foundation.store.put(name, before.value, ttl=timedelta(hours=1))
    archive = Archive(
        memory=rig.guests.memory,
        trail=rig.records.trail,
        clock=rig.clock,
        entropy=rig.foundation.entropy,
    )
    opened_at = bound.binding.created_at
    assert not archive.allows("guest-1", None, opened_at=opened_at)
    assert archive.allows("guest-2", None, opened_at=opened_at), "who is not written yet"


def test_one_erasure_that_the_database_refuses_holds_up_no_other(
    rig: ErasureRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, refused = SqlErasures.finish, {"guest-1", "guest-2"}

    def choosy(self: SqlErasures, row: Any, **given: Any) -> bool:
        if row.guest_id in refused:
            raise RecordsRefusedError("as if a constraint forbade it")
        return finish(self, row, **given)

    monkeypatch.setattr(SqlErasures, "finish", choosy)
    for guest_id in ("guest-1", "guest-2"):
        rig.remember(guest_id, device_id=f"device of {guest_id}")
        with pytest.raises(RecordsRefusedError):
            rig.guests.erasure.ask(guest_id, ASKER)
        rig.clock.advance(timedelta(seconds=1))
    refused.remove("guest-2")
    rig.guests.rounds.once()
    assert rig.guests.rows.find("guest-2") is None
    assert rig.guests.erasure.erased_at("guest-1") is None
    refused.clear()
    assert rig.guests.erasure.resume_unfinished() == 1
    assert rig.guests.erasure.erased_at("guest-1") is not None


def test_two_guests_of_one_person_erased_at_once_leave_no_address(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database("postgresql", tmp_path, postgres) as url, erasure_rig(tmp_path, url) as rig:
        for number, action in enumerate((Action.SIGNED_IN, *2 * (Action.GUEST_STEPPED_UP,))):
            stepped_up = AuditEvent(
                event_id=f"event-{number}",
                at=rig.clock.now(),
                action=action,
                actor=Actor(kind=ActorKind.PERSON, name=AMIRA),
                guest_id=f"guest-{number}" if number else None,
                source=f"203.0.113.{number}",
            )
            rig.records.trail.note(stepped_up)
        for number in (1, 2):
            rig.remember(f"guest-{number}", device_id=f"{DEVICE}-{number}", person=AMIRA)
        rig.records.settle()
        both, append_on = threading.Barrier(2), SqlAudit.append_on

        def together(self: SqlAudit, connection: Any, entries: Any) -> int:
            if entries[0].action == Action.GUEST_ERASED:
                both.wait(10)
            return append_on(self, connection, entries)

        monkeypatch.setattr(SqlAudit, "append_on", together)
        threads = [
            threading.Thread(target=rig.guests.erasure.ask, args=(f"guest-{number}", ASKER))
            for number in (1, 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert rig.guests.rows.count() == 0
        query = text("SELECT source FROM audit_sources")
        kept = rig.records.database.read(  # type: ignore[attr-defined]  # the real one
            lambda connection: set(connection.execute(query).scalars())
        )
        assert kept == {ASKER.source}


def test_who_came_back_after_a_request_at_genesys_is_asked_for_again(operator: Typist) -> None:
    filed = []
    for number in (1, 2):
        with operator.records() as rig:
            rig.remember(f"guest-{number}", device_id=f"{DEVICE}-{number}", email_verified=True)
        done = operator.type("erase", f"guest-{number}", "--gdpr", "--yes")
        assert (done.code, done.out) == (0, f"guest-{number}: erased\n")
        filed.append(done.err.split(" as ")[1].split(":")[0])
    assert len(set(filed)) == 2, "Genesys has learned of them since"
    again = operator.type("erase", "guest-2", "--gdpr", "--yes")
    assert again.out == "guest-2: already erased\n"
    assert filed[1] in again.err


def test_asked_for_again_it_is_once_for_two_guests_with_one_email(operator: Typist) -> None:
    with operator.records() as rig:
        for number in (1, 2):
            rig.remember(f"guest-{number}", device_id=f"{DEVICE}-{number}", email_verified=True)
    words = ("erase", "--email", PROFILE["email"], "--gdpr", "--yes")
    operator.genesys.faults.order(Door.GDPR, Fault(status=500))
    assert operator.type(*words).code == 1
    done = operator.type(*words, "--file-again")
    assert done.code == 0, done.err
    ids = {line.split(" as ")[1] for line in done.err.splitlines() if " as " in line}
    assert len(ids) == 1


def test_the_browser_of_an_erased_guest_starts_anew(on_sqlite: ErasureRig) -> None:
    rig = on_sqlite
    rig.remember()
    rig.guests.erasure.ask("guest-1", ASKER)
    rig.remember("guest-2")
    _, guest = rig.guests.memory.recall(device_id=DEVICE, browser_secret=BROWSER, person=None)
    assert guest is not None
    assert guest.guest_id == "guest-2"
