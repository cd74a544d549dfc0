"""What waits of a guest: under the guest's own key, only what is kept, and gone with the key."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from erasure_rig import ASKER, BROWSER, DEVICE, PROFILE, TOKEN, ErasureRig, erasure_rig
from postgres_server import PostgresServer
from records_away import AwayRig, records_away
from redis_server import RedisServer
from security_model import Asset, Attacker, threat

from bff.crypto.sealed_drawer import Drawer
from bff.crypto.sealed_value import key_id_of
from bff.errors import RecordsDownError
from bff.records.audit_events import Action, Actor, ActorKind, AuditEvent
from bff.records.erasure import Erased
from bff.records.guest_keys import GuestErasedError
from bff.records.guest_memory import GuestFacts
from bff.records.outbox import Letter
from bff.records.outbox_events import Place

FORM = {**PROFILE, "phone": "+49 151 000", "shoe": "size thirty-nine", "text": "I need help"}
ADDRESS = "192.0.2.77"


def remember(rig: ErasureRig | AwayRig, guest_id: str = "guest-1", **more: object) -> None:
    facts: dict[str, Any] = {
        "device_id": DEVICE,
        "browser_secret": BROWSER,
        "genesys_token": TOKEN,
        "profile": FORM,
        **more,
    }
    rig.guests.memory.remember(GuestFacts(guest_id=guest_id, at=rig.clock.now(), **facts))


def note(
    rig: ErasureRig | AwayRig, guest_id: str = "guest-1", kind: ActorKind = ActorKind.GUEST
) -> None:
    rig.records.trail.note(
        AuditEvent(
            event_id=f"{kind}-event-{guest_id[-1]}",
            at=rig.clock.now(),
            action=Action.GUEST_CREATED,
            actor=Actor(kind=kind),
            guest_id=guest_id,
            source=ADDRESS,
        )
    )


def waiting(rig: ErasureRig | AwayRig) -> list[str]:
    """Everything that waits, as whoever has the master key can read it without a guest's key."""
    return [f"{one.body}{one.guest}" for one in rig.records.outbox.letters()]


@threat(
    Attacker.BOTH_OWNERS,
    Asset.ERASURE,
    can="read nothing of an erased guest in what waits, even with the master key",
)
def test_with_the_master_key_but_not_the_guests_nothing_can_be_read(on_sqlite: ErasureRig) -> None:
    remember(on_sqlite, person="pairwise-of-amira")
    note(on_sqlite)
    plain = "".join(waiting(on_sqlite))
    secrets = (*FORM.values(), TOKEN, DEVICE, BROWSER, ADDRESS, "pairwise-of-amira", "guest-1")
    for word in secrets:
        assert word not in plain, word
    pseudonym = on_sqlite.records.keys.pseudonym("guest-1")
    assert on_sqlite.records.outbox.has_guest(pseudonym)
    assert not on_sqlite.records.outbox.has_guest(on_sqlite.records.keys.pseudonym("guest-2"))


def test_only_fields_that_are_kept_wait(on_sqlite: ErasureRig) -> None:
    remember(on_sqlite)
    (letter,) = on_sqlite.records.outbox.letters()
    values = on_sqlite.guests.memory._waiting.decoded(letter.body)
    assert values is not None
    assert values["profile"] == PROFILE


def test_delivered_it_is_what_was_remembered(rig: ErasureRig) -> None:
    remember(rig)
    note(rig)
    rig.records.settle()
    assert rig.guests.memory.profile_of("guest-1") == PROFILE
    (row,) = rig.records.keeper.rows(after=0, limit=9)
    assert row.source == ADDRESS
    assert rig.verdict().faults == ()


def test_an_erasure_overtakes_what_waits(rig: ErasureRig) -> None:
    remember(rig)
    note(rig)
    note(rig, kind=ActorKind.AUDITOR)
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    rig.records.settle()
    assert rig.guests.rows.find("guest-1") is None
    assert rig.guests.keys.find("guest-1") is None
    assert rig.records.outbox.waiting() == []
    assert rig.records.outbox.dead.ids() == [], "refused for good, and not in doubt"
    rows = {row.event_id: row.source for row in rig.records.keeper.rows(after=0, limit=9)}
    assert rows["guest-event-1"] is None, "the event stays, the guest's address does not"
    assert rig.verdict().faults == ()


def test_what_was_dropped_for_an_erasure_is_counted(on_sqlite: ErasureRig) -> None:
    remember(on_sqlite)
    on_sqlite.guests.keys.destroy("guest-1")
    on_sqlite.records.writer.once()
    assert on_sqlite.records.outbox.tally.dropped["guest"] == 1
    assert on_sqlite.guests.rows.find("guest-1") is None


def test_an_erased_guest_gets_no_new_key_and_is_not_remembered(on_sqlite: ErasureRig) -> None:
    remember(on_sqlite)
    on_sqlite.records.settle()
    on_sqlite.guests.erasure.ask("guest-1", ASKER)
    remember(on_sqlite)
    assert on_sqlite.records.outbox.waiting() == []
    assert on_sqlite.guests.keys.find("guest-1") is None
    with pytest.raises(GuestErasedError):
        on_sqlite.guests.keys.find_or_make("guest-1")
    assert not on_sqlite.guests.memory.write(
        GuestFacts(guest_id="guest-1", at=on_sqlite.clock.now())
    )


def test_a_key_that_the_store_of_the_keys_has_lost_is_no_erasure(on_sqlite: ErasureRig) -> None:
    remember(on_sqlite)
    keys = on_sqlite.guests.keys
    held = keys._drawer.get("guest-1")
    assert held is not None
    keys._drawer.delete("guest-1")
    on_sqlite.records.writer.once()
    (dead,) = on_sqlite.records.outbox.dead.all()
    assert dead.why == "unreadable"

    keys._drawer.add("guest-1", held.record, ttl=timedelta(days=1))
    assert on_sqlite.records.outbox.retry(dead)
    on_sqlite.records.writer.once()
    assert on_sqlite.guests.memory.profile_of("guest-1") == PROFILE


def test_a_guest_who_only_waits_is_known_and_can_be_erased(rig: ErasureRig) -> None:
    remember(rig)
    assert rig.guests.erasure.knows("guest-1")
    assert not rig.guests.erasure.knows("guest-2")
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    rig.records.settle()
    assert rig.opens_nothing()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_files_are_carved_for_an_erased_guest_who_waited(kind: str, tmp_path: Path) -> None:
    """The database is away all the time; the store's files and Redis' log hold no key's text."""
    with RedisServer("--appendonly", "yes") as redis:
        store = {"BFF_STORE_URL": redis.url} if kind == "redis" else {}
        with records_away(tmp_path, **store) as rig:
            remember(rig)
            note(rig)
            rig.guests.keys.destroy("guest-1")
            plain = "".join(waiting(rig))
            with pytest.raises(RecordsDownError):
                rig.guests.rows.find("guest-1")
        files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        home = redis._home
        assert home is not None
        files += [file.read_bytes() for file in home.rglob("*") if file.is_file()]
    for word in (*FORM.values(), TOKEN, DEVICE, BROWSER, ADDRESS):
        assert word not in plain
        assert not any(word.encode() in file for file in files), word


def legacy(rig: ErasureRig, name: str, desk: str, body: str) -> None:
    """Leave a letter as the version before did."""
    drawer = Drawer("outbox", Letter, rig.foundation)
    drawer.put(name, Letter(desk=desk, body=body), ttl=timedelta(days=30))
    rig.foundation.store.join("outbox", name, ttl=timedelta(days=30))


def test_letters_of_the_version_before_are_delivered(rig: ErasureRig) -> None:
    facts = {
        "guest_id": "guest-1",
        "at": rig.clock.now().isoformat(),
        "device_id": DEVICE,
        "person": None,
        "browser_secret": BROWSER,
        "genesys_token": TOKEN,
        "profile": FORM,
        "ended": False,
    }
    event = {
        "event_id": "old",
        "at": 1,
        "action": "signed_in",
        "outcome": "done",
        "actor_kind": "person",
        "actor": "p",
        "guest": None,
        "source": ADDRESS,
        "details": "{}",
    }
    legacy(rig, "0001.a", "guest", json.dumps(facts))
    legacy(rig, "0002.b", "audit", json.dumps(event))
    legacy(rig, "0003.c", "weather", "{}")
    assert rig.guests.erasure.knows("guest-1")
    assert len(rig.records.outbox.waiting()) == 3
    assert rig.records.writer.once() == 2
    assert rig.guests.memory.profile_of("guest-1") == PROFILE
    assert [row.event_id for row in rig.records.keeper.rows(after=0, limit=9)] == ["old"]
    assert [one.desk for one in rig.records.outbox.dead.all()] == ["weather"]
    assert rig.foundation.store.members("outbox") == []
    assert rig.records.outbox.waiting() == []


def test_a_letter_of_before_that_does_not_open_is_set_aside(
    on_sqlite: ErasureRig, caplog: pytest.LogCaptureFixture
) -> None:
    legacy(on_sqlite, "0001.a", "guest", "{}")
    store = on_sqlite.foundation.store
    store.put("outbox:0001.a", b"\x01" * 60, ttl=timedelta(days=1))
    store.join("outbox", "0002.gone", ttl=timedelta(days=1))
    on_sqlite.records.writer.once()
    (dead,) = on_sqlite.records.outbox.dead.all()
    assert (dead.why, dead.raw is not None) == ("unreadable", True)
    assert "0002.gone" in caplog.text
    assert on_sqlite.records.outbox.waiting() == []


def test_what_waits_for_years_outlives_the_keys_of_the_ring(tmp_path: Path) -> None:
    """Rotated each month, and an old key of the ring opens for a year: it is encrypted anew."""
    with records_away(tmp_path) as rig:
        for number in range(3):
            remember(rig, f"guest-{number}")
            note(rig, f"guest-{number}")
        rig.records.outbox.dead.put("audit.x.1", Letter(desk="audit", body="{}"), why="malformed")
        for _ in range(40):
            rig.clock.advance(timedelta(days=31))
            rig.guests.keys.tend()
            rig.records.writer.once()
        letters = list(rig.records.outbox.letters())
        assert len(letters) == 7
        assert not any(rig.records.outbox.tally.missing.values())
        newest = key_id_of(rig.foundation.sealer.seal(b"", context="x"))
        lane = rig.records.outbox.lanes["guest"]
        held = lane.tip()
        assert held is not None
        place = Place(lane="guest", generation=held[0].generation, number=1)
        stored = lane.find(place)
        assert stored is not None
        assert key_id_of(stored.raw) == newest


def test_a_real_database_that_comes_back_gets_all_of_it(tmp_path: Path) -> None:
    with PostgresServer() as server:
        url = server.new_database("back")
        with erasure_rig(tmp_path, url) as rig:
            server.stop()
            for number in range(5):
                remember(rig, f"guest-{number}")
                note(rig, f"guest-{number}")
            assert rig.records.writer.once() == 0
            server.start()
            assert rig.records.writer.once() == 10
            assert rig.guests.rows.count() == 5
