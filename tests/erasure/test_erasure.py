"""A guest is erased: what is gone, what stays, and what nobody can bring back."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from erasure_rig import ASKER, BROWSER, PROFILE, TOKEN, ErasureRig
from sqlalchemy import Connection, text

from bff.adapters.sql_guests import lock_guest
from bff.errors import GuestUnknownError, RecordsDownError, StoreDownError
from bff.guests.guest_binding import SessionUnknownError
from bff.records.erasure import Asker, Erased
from bff.records.guest_memory import GuestFacts
from bff.signin.records import EndReason
from bff.signin.session_news import CHANNEL

EVERY = ("erasure_asked", "guest_erased")


def test_everything_of_a_guest_goes_and_the_trail_says_so(rig: ErasureRig) -> None:
    rig.remember()
    rig.remember("guest-2", device_id="another device", profile={"name": "Zoe"})
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    assert rig.guests.rows.find("guest-1") is None
    assert rig.guests.keys.find("guest-1") is None
    assert rig.opens_nothing()
    assert not rig.guests.erasure.knows("guest-1")
    pseudonym = rig.records.keys.pseudonym("guest-1")
    assert rig.told() == [(action, "operator:robin", pseudonym) for action in EVERY]
    assert rig.guests.memory.profile_of("guest-2") == {"name": "Zoe"}
    assert rig.verdict().faults == ()


def test_nothing_that_is_left_names_the_guest(rig: ErasureRig) -> None:
    rig.remember()
    rig.guests.erasure.ask("guest-1", Asker(actor=ASKER.actor, engagement_id="engagement-77"))
    rig.told()

    def everything(connection: Connection) -> str:
        tables = ("guests", "erasures", "audit_events", "audit_sources", "audit_heads", "imports")
        return repr([connection.execute(text(f"SELECT * FROM {one}")).all() for one in tables])

    left = rig.records.database.read(everything)  # type: ignore[attr-defined]  # the real one
    for word in ("guest-1", "engagement-77", TOKEN, *PROFILE.values()):
        assert word not in left
    print_ = rig.records.keys.fingerprint("audit-engagement", "engagement-77")
    assert print_[:32] in left, "whoever knows the engagement finds it again"


def test_asked_again_it_is_told_done_and_nothing_is_written_twice(rig: ErasureRig) -> None:
    rig.remember()
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.ALREADY
    assert len(rig.told()) == 2


def test_a_guest_of_whom_nothing_is_known_is_unknown(rig: ErasureRig) -> None:
    with pytest.raises(GuestUnknownError):
        rig.guests.erasure.ask("nobody", ASKER)
    assert rig.told() == []


def test_many_who_ask_at_once_erase_once(rig: ErasureRig) -> None:
    rig.remember()
    together, came = threading.Barrier(5), []

    def ask() -> None:
        together.wait(10)
        came.append(rig.guests.erasure.ask("guest-1", ASKER))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(came) == 5
    assert set(came) <= {Erased.DONE, Erased.ALREADY}
    assert len(rig.told()) == 2
    assert rig.verdict().faults == ()


def test_who_writes_a_guest_meanwhile_does_not_bring_them_back(rig: ErasureRig) -> None:
    """Writers all around the erasure: whenever it happens, nothing of the guest is left."""
    for number in range(8):
        guest_id = f"guest-{number}"
        rig.remember(guest_id)
        faults: list[BaseException] = []
        together = threading.Barrier(4)

        def write(guest_id: str = guest_id, together: Any = together, faults: Any = faults) -> None:
            try:
                together.wait(10)
                for _ in range(4):
                    rig.guests.memory.write(
                        GuestFacts(guest_id=guest_id, at=rig.clock.now(), profile=PROFILE)
                    )
            except BaseException as fault:  # noqa: BLE001 - told below
                faults.append(fault)

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        together.wait(10)
        assert rig.guests.erasure.ask(guest_id, ASKER) is Erased.DONE
        for thread in threads:
            thread.join(20)
        assert not faults
        assert rig.guests.rows.find(guest_id) is None
        assert rig.guests.keys.find(guest_id) is None, "the key made meanwhile went as well"


def test_what_still_waits_to_be_written_is_known_and_never_written(rig: ErasureRig) -> None:
    rig.guests.memory.remember(GuestFacts(guest_id="guest-1", at=rig.clock.now(), profile=PROFILE))
    assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
    rig.records.settle()
    assert rig.guests.rows.find("guest-1") is None
    assert rig.guests.keys.find("guest-1") is None


def test_open_sessions_end_and_everybody_who_has_them_open_is_told(on_sqlite: ErasureRig) -> None:
    rig = on_sqlite
    mine, other = rig.bind(), rig.bind("guest-2")
    with rig.foundation.store.subscribe(CHANNEL) as news:
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
        heard = news.receive(timedelta(seconds=5))
    assert heard is not None
    assert b"guest:guest-1" in heard[1]
    assert EndReason.REVOKED.value.encode() in heard[1]
    with pytest.raises(SessionUnknownError):
        rig.bindings.resume(mine.encrypted_session_id, browser_secret=BROWSER, person=None)
    rig.bindings.resume(other.encrypted_session_id, browser_secret=BROWSER, person=None)


def test_a_session_is_found_for_as_long_as_it_lives_and_no_longer(on_sqlite: ErasureRig) -> None:
    rig = on_sqlite
    bound = rig.bind()
    for _ in range(5):
        rig.clock.advance(timedelta(minutes=40))
        rig.bindings.extend(bound.session_id)
    assert len(rig.guests.live.of("guest-1")) == 1
    rig.bindings.end(bound.session_id)
    assert rig.guests.live.of("guest-1") == []
    assert not rig.guests.erasure.knows("guest-1")


def test_the_persons_whose_sessions_ended_are_told_by_their_fingerprints(
    on_sqlite: ErasureRig,
) -> None:
    rig = on_sqlite
    rig.remember(person="amira")
    rig.bind(person="zoe")
    told: list[frozenset[str]] = []
    rig.guests.erasure.also_tell(told.append)
    rig.guests.erasure.ask("guest-1", ASKER)
    prints = (
        rig.records.keys.fingerprint("person", rig.guests.tenant, one) for one in ("amira", "zoe")
    )
    assert told == [frozenset(prints)]


@pytest.mark.parametrize("who", ["_keys", "_sessions"])
def test_what_is_away_is_asked_again_and_nothing_is_told_done(
    on_sqlite: ErasureRig, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = on_sqlite
    rig.remember()
    deed = {"_keys": "destroy", "_sessions": "end_all"}[who]

    def away(_: str) -> None:
        raise StoreDownError("away")

    with monkeypatch.context() as broken:
        broken.setattr(getattr(rig.guests.erasure, who), deed, away)
        with pytest.raises(StoreDownError):
            rig.guests.erasure.ask("guest-1", ASKER)
    assert not rig.guests.memory.write(GuestFacts(guest_id="guest-1", at=rig.clock.now())), (
        "from the request on nothing is written any more"
    )
    rig.guests.rounds.once()
    assert rig.opens_nothing()
    assert [action for action, *_ in rig.told()] == list(EVERY)


def test_a_trail_that_takes_nothing_leaves_the_guest_where_it_was(
    on_sqlite: ErasureRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row and the event are one: without the one there is not the other."""
    rig = on_sqlite
    rig.remember()
    audit = rig.guests.erasure._erasures._audit  # type: ignore[attr-defined]  # the real one

    def refuse(_: Connection, entries: Any) -> int:
        if entries[0].action == "guest_erased":
            raise RecordsDownError("no room")
        return 0

    with monkeypatch.context() as broken:
        broken.setattr(audit, "append_on", refuse)
        with pytest.raises(RecordsDownError):
            rig.guests.erasure.ask("guest-1", ASKER)
    assert rig.guests.rows.find("guest-1") is not None
    assert rig.opens_nothing(), "its key has gone first"
    assert rig.guests.erasure.resume_unfinished() == 1
    assert rig.guests.rows.find("guest-1") is None


def test_a_rotation_of_the_ring_is_followed_by_sealing_every_key_anew_once(
    on_sqlite: ErasureRig,
) -> None:
    rig = on_sqlite
    rig.remember()
    rig.guests.ring.rotate()
    rig.guests.rounds.once()
    rig.clock.advance(timedelta(minutes=3))
    rig.guests.rounds.once()
    assert rig.guests.keys.reseal() == 0, "done in the background"
    rig.clock.advance(timedelta(days=366))
    assert rig.guests.memory.profile_of("guest-1") is not None


def test_a_writer_and_an_erasure_of_one_guest_wait_for_each_other(rig: ErasureRig) -> None:
    """Whoever comes second sees what the first one wrote, however slow that one was."""
    pseudonym = rig.records.keys.pseudonym("guest-1")
    begun, go_on = threading.Event(), threading.Event()
    facts = GuestFacts(guest_id="guest-1", at=rig.clock.now(), profile=PROFILE)
    came: list[bool] = []

    def slow_erasure(connection: Connection) -> None:
        lock_guest(connection, pseudonym)
        words = "INSERT INTO erasures VALUES ('r', :guest, 'guest-1', 'operator:robin', 1, NULL)"
        connection.execute(text(words), {"guest": pseudonym})
        begun.set()
        assert go_on.wait(10)

    write = rig.records.database.write  # type: ignore[attr-defined]  # the real one
    eraser = threading.Thread(target=write, args=(slow_erasure,))
    writer = threading.Thread(target=lambda: came.append(rig.guests.memory.write(facts)))
    eraser.start()
    assert begun.wait(10)
    writer.start()
    writer.join(0.3)
    assert writer.is_alive(), "it looked for an erasure before that was written"
    go_on.set()
    eraser.join(10)
    writer.join(10)
    assert came == [False]
    assert rig.guests.rows.find("guest-1") is None


def test_an_erasure_waits_for_a_writer_who_began_before_it(rig: ErasureRig) -> None:
    rig.remember("guest-2", device_id="another")
    pseudonym = rig.records.keys.pseudonym("guest-1")
    begun, go_on = threading.Event(), threading.Event()

    def slow_writer(connection: Connection) -> None:
        lock_guest(connection, pseudonym)
        connection.execute(text("SELECT 1 FROM erasures")).all()
        begun.set()
        assert go_on.wait(10)
        words = (
            "INSERT INTO guests (guest_id, tenant, created_at, seen_at, version) "
            "VALUES ('guest-1', '-', 1, 1, 1)"
        )
        connection.execute(text(words))

    rig.bind()  # so that there is something to erase before the row is there
    write = rig.records.database.write  # type: ignore[attr-defined]  # the real one
    writer = threading.Thread(target=write, args=(slow_writer,))
    eraser = threading.Thread(target=lambda: rig.guests.erasure.ask("guest-1", ASKER))
    writer.start()
    assert begun.wait(10)
    eraser.start()
    eraser.join(0.3)
    assert eraser.is_alive()
    go_on.set()
    writer.join(10)
    eraser.join(10)
    assert rig.guests.rows.find("guest-1") is None
    assert rig.guests.rows.count() == 1
