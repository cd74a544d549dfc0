"""From where an erased guest came is kept nowhere: not in the log's table, an export or a page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from erasure_rig import ASKER, ErasureRig
from sqlalchemy import text

from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent
from bff.records.audit_page import person_page
from bff.records.erasure import Erased
from bff.records.guest_export import export_guest
from bff.records.guest_memory import GuestFacts

AMIRA, ZOE = "pairwise-of-amira", "pairwise-of-zoe"
PERSON = Actor(kind=ActorKind.PERSON, name=AMIRA)
GUEST = Actor(kind=ActorKind.GUEST)
AUDITOR = Actor(kind=ActorKind.AUDITOR, name="robin")


def note(rig: ErasureRig, number: int, action: Action, **more: Any) -> str:
    """Write an event from an address of its own; return the address."""
    address = f"203.0.113.{number}"
    event = AuditEvent(
        event_id=f"event-{number}",
        **{"at": rig.clock.now(), "action": action, "source": address, **more},
    )
    rig.records.trail.note(event)
    return address


def kept(rig: ErasureRig) -> set[str]:
    def read(connection: Any) -> set[str]:
        return set(connection.execute(text("SELECT source FROM audit_sources")).scalars())

    found: set[str] = rig.records.database.read(read)  # type: ignore[attr-defined]  # the real one
    return found


@contextmanager
def nothing_is_delivered(rig: ErasureRig) -> Iterator[None]:
    """Let what is noted wait: somebody else holds the writer's lease."""
    with pytest.MonkeyPatch.context() as patch:
        rig.guests.erasure.deliver_first(lambda: None)
        yield
        patch.undo()


def test_addresses_of_the_guests_events_go_and_the_log_still_verifies(rig: ErasureRig) -> None:
    rig.remember()
    mine = [
        note(rig, 1, Action.GUEST_CREATED, actor=GUEST, guest_id="guest-1"),
        note(rig, 2, Action.GUEST_RESUMED, actor=PERSON, guest_id="guest-1"),
        note(rig, 3, Action.GUEST_ENDED, guest_id="guest-1"),
    ]
    others = {
        note(rig, 4, Action.GUEST_CREATED, actor=GUEST, guest_id="guest-2"),
        note(rig, 5, Action.REPORT_READ, actor=AUDITOR, guest_id="guest-1"),
    }
    rig.records.settle()
    assert kept(rig) == {*mine, *others}
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    assert kept(rig) == {*others, ASKER.source}, "who read and who asked is not the guest"
    assert rig.verdict().faults == ()


def test_the_sign_ins_of_the_person_lose_their_addresses_too(rig: ErasureRig) -> None:
    rig.remember(person=AMIRA)
    note(rig, 1, Action.SIGNED_IN, actor=PERSON, details={"provider": "main"})
    note(rig, 2, Action.GUEST_STEPPED_UP, actor=PERSON, guest_id="guest-1")
    note(rig, 3, Action.SIGNED_OUT, actor=PERSON)
    note(rig, 4, Action.SESSION_REVOKED, details={"person": AMIRA, "reason": "refused"})
    others = {
        note(rig, 5, Action.SIGNED_IN, actor=Actor(kind=ActorKind.PERSON, name=ZOE)),
        note(rig, 6, Action.SESSION_REVOKED, details={"person": ZOE, "reason": "refused"}),
        note(rig, 7, Action.SIGN_IN_FAILED, actor=Actor(kind=ActorKind.PERSON)),
        note(rig, 8, Action.SESSION_REVOKED, details={"person": "pairwise_of-amira"}),
    }
    rig.records.settle()
    rig.guests.erasure.ask("guest-1", ASKER)
    assert kept(rig) == {*others, ASKER.source}
    assert rig.verdict().faults == ()


def test_who_has_another_conversation_here_keeps_the_addresses_of_sign_ins_until_it_goes_too(
    rig: ErasureRig,
) -> None:
    rig.remember(person=AMIRA)
    rig.remember("guest-2", device_id="other", person=AMIRA)
    signed_in = note(rig, 1, Action.SIGNED_IN, actor=PERSON)
    for number, guest_id in enumerate(("guest-1", "guest-2"), start=2):
        note(rig, number, Action.GUEST_STEPPED_UP, actor=PERSON, guest_id=guest_id)
    rig.records.settle()
    rig.guests.erasure.ask("guest-1", ASKER)
    assert kept(rig) == {signed_in, "203.0.113.3", ASKER.source}
    rig.guests.erasure.ask("guest-2", ASKER)
    assert kept(rig) == {ASKER.source}


def test_a_person_known_only_by_an_open_session_is_forgotten_as_well(rig: ErasureRig) -> None:
    rig.bind(person=AMIRA)
    note(rig, 1, Action.SIGNED_IN, actor=PERSON)
    rig.records.settle()
    rig.guests.erasure.ask("guest-1", ASKER)
    assert kept(rig) == {ASKER.source}


def test_who_signs_in_again_later_is_written_down_again(rig: ErasureRig) -> None:
    rig.remember(person=AMIRA)
    note(rig, 1, Action.GUEST_CREATED, actor=PERSON, guest_id="guest-1")
    rig.records.settle()
    rig.guests.erasure.ask("guest-1", ASKER)
    rig.clock.advance(timedelta(seconds=1))
    later = note(rig, 2, Action.SIGNED_IN, actor=PERSON)
    rig.records.settle()
    assert kept(rig) == {later, ASKER.source}


def test_events_that_waited_or_come_later_bring_no_address(rig: ErasureRig) -> None:
    """Whatever was pending at the moment of the erasure, in whatever order it is delivered."""
    rig.remember(person=AMIRA)
    with nothing_is_delivered(rig):
        note(rig, 1, Action.SIGNED_IN, actor=PERSON)
        rig.clock.advance(timedelta(milliseconds=1))
        note(rig, 2, Action.GUEST_STEPPED_UP, actor=PERSON, guest_id="guest-1")
        rig.clock.advance(timedelta(milliseconds=1))
        note(rig, 3, Action.SIGNED_OUT, actor=PERSON)
        note(rig, 4, Action.SESSION_REVOKED, details={"person": AMIRA, "reason": "refused"})
        rig.guests.erasure.ask("guest-1", ASKER)
    rig.clock.advance(timedelta(seconds=1))
    note(rig, 5, Action.GUEST_REFUSED, actor=GUEST, guest_id="guest-1")
    rig.records.settle()
    assert kept(rig) == {ASKER.source}
    assert len(rig.told()) == 7
    assert rig.verdict().faults == ()


def test_an_export_after_it_says_that_it_was_done_and_when(rig: ErasureRig) -> None:
    rig.remember()
    address = note(rig, 1, Action.GUEST_CREATED, actor=GUEST, guest_id="guest-1")
    rig.records.settle()
    known = export(rig)
    assert known["events"][0]["source"] == address, "before it, it is shown to the person"
    rig.guests.erasure.ask("guest-1", ASKER)
    note(rig, 2, Action.GUEST_REFUSED, actor=GUEST, guest_id="guest-1")
    note(rig, 3, Action.PROFILE_EXPORTED, actor=ASKER.actor, guest_id="guest-1")
    rig.records.settle()
    known = export(rig)
    assert [event["action"] for event in known["events"]] == ["erasure_asked", "guest_erased"]
    assert all(event["at"] and event["source"] is None for event in known["events"])
    words = json.dumps(known)
    assert "203.0.113." not in words
    assert str(ASKER.source) not in words


def test_the_page_of_the_auditor_shows_no_address_of_theirs(rig: ErasureRig) -> None:
    rig.remember()
    note(rig, 1, Action.GUEST_CREATED, actor=GUEST, guest_id="guest-1")
    rig.records.settle()
    rig.guests.erasure.ask("guest-1", ASKER)
    page = person_page(
        "guest-1",
        rig.guests.rows.find("guest-1"),
        rig.guests.memory.profile_of("guest-1"),
        keeper=rig.records.keeper,
        keys=rig.records.keys,
        now=rig.clock.now(),
    )
    shown = {touch.action: touch.source for touch in page.touches}
    assert shown == {"guest created": None, "erasure asked": ASKER.source, "guest erased": None}
    assert page.holdings == ()


def test_a_row_that_came_back_is_erased_again_with_its_newer_addresses(rig: ErasureRig) -> None:
    rig.remember()
    rig.guests.erasure.ask("guest-1", ASKER)
    rig.clock.advance(timedelta(days=1))
    assert not rig.guests.memory.write(GuestFacts(guest_id="guest-1", at=rig.clock.now()))
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.ALREADY
    assert kept(rig) == {ASKER.source}


def export(rig: ErasureRig) -> dict[str, Any]:
    return export_guest(
        "guest-1", guests=rig.guests, keeper=rig.records.keeper, purposes=rig.records.keys
    )
