"""Somebody types another's e-mail into a form, and then asks for an erasure by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from erasure_rig import erasure_rig
from security_model import Asset, Attacker, threat
from sqlalchemy import text
from typed_commands import Typist, typist

from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent

VICTIM = "victim@example.org"
ADDRESS = "203.0.113.50"


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Typist]:
    with typist(tmp_path, monkeypatch, capsys) as made:
        yield made


@threat(
    Attacker.STRANGER,
    Asset.ERASURE,
    can="claim another's e-mail in a form and have their own guest erased by its id; neither "
    "Genesys nor an erasure by e-mail acts on the claim unless the operator says --unverified",
    noticed="the command names the guests whose e-mail nobody verified",
)
def test_a_claimed_email_has_nobody_deleted(operator: Typist) -> None:
    with operator.records() as rig:
        rig.remember("attacker", profile={"email": VICTIM}, email_verified=False)
        rig.remember("victim", device_id="other", profile={"email": VICTIM}, email_verified=True)
    asked = operator.type("erase", "attacker", "--gdpr", "--yes")
    assert (asked.code, asked.out) == (1, "")
    assert "nobody has verified it" in asked.err
    by_email = operator.type("erase", "--email", VICTIM, "--yes")
    assert by_email.out == "victim: erased\n"
    assert "attacker: left alone" in by_email.err
    with operator.records() as rig:
        told = [action for action, *_ in rig.told()]
        assert told.count("guest_erased") == 1
        assert rig.guests.erasure.knows("attacker")


@threat(
    Attacker.DATABASE_OWNER,
    Asset.ERASURE,
    can="find no address of an erased guest, nor of the person's sign-ins, in the audit log's "
    "tables; events that come late bring none either",
    noticed="the audit log verifies as before",
)
def test_no_address_of_an_erased_guest_is_in_the_tables(operator: Typist) -> None:
    person = Actor(kind=ActorKind.PERSON, name="pairwise-of-amira")
    with operator.records() as rig:
        rig.remember(person=person.name)
        for number, action in enumerate((Action.SIGNED_IN, Action.GUEST_STEPPED_UP)):
            guest_id = None if action is Action.SIGNED_IN else "guest-1"
            event = AuditEvent(
                event_id=f"event-{number}",
                at=rig.clock.now(),
                action=action,
                actor=person,
                guest_id=guest_id,
                source=ADDRESS,
            )
            rig.records.trail.note(event)
    assert operator.type("erase", "guest-1", "--yes").code == 0
    with erasure_rig(operator.folder, operator.url) as rig:
        late = AuditEvent(
            event_id="late",
            at=rig.clock.now(),
            action=Action.GUEST_REFUSED,
            guest_id="guest-1",
            source=ADDRESS,
        )
        rig.records.trail.note(late)
        assert rig.verdict().faults == ()
        read = text("SELECT count(*) FROM audit_sources")
        left = rig.records.database.read(lambda connection: connection.execute(read).scalar())  # type: ignore[attr-defined]  # the real one
        assert left == 0
