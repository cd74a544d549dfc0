"""Sealed session ids and what they are bound to: one owner, sealed, in every process alike.

The published middleware kept its keys in one process, tried each in turn, and laid the Genesys
token readable into Redis.
"""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from binding_rigs import (
    BROWSER,
    LIFETIME,
    OTHER_BROWSER,
    TOKEN,
    bound,
    guest_bindings,
    resume_elsewhere,
    step_up_together,
)
from hand_clock import HandClock
from hypothesis import assume, given
from hypothesis import strategies as st
from memory_store import MemoryStore
from process_crowd import all_at_once
from ring_rigs import MASTER
from store_rigs import StoreRig

from bff.adapters.system import SystemEntropy
from bff.errors import StoreDownError
from bff.guests.frame_errors import GuestEnd
from bff.guests.guest_binding import (
    BoundSession,
    GuestBindings,
    GuestSessionId,
    SessionUnknownError,
    session_id_ring,
)
from bff.ports import Entry

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def bindings(rig: StoreRig) -> GuestBindings:
    return guest_bindings(rig.store, rig.clock)


def in_memory() -> tuple[MemoryStore, HandClock, GuestBindings]:
    clock = HandClock()
    store = MemoryStore(clock)
    return store, clock, guest_bindings(store, clock)


# Coming back


def test_a_session_is_continued_by_the_browser_that_has_its_cookie(
    bindings: GuestBindings,
) -> None:
    session = bound(bindings)

    again = bindings.resume(session.encrypted_session_id, browser_secret=BROWSER, person=None)

    assert again.session_id == session.session_id
    assert again.binding == session.binding
    assert again.binding.genesys_token == TOKEN
    assert again.binding.metadata == {"device": "phone"}


def test_a_session_survives_a_restart(rig: StoreRig) -> None:
    sealed = bound(guest_bindings(rig.store, rig.clock)).encrypted_session_id

    started_anew = guest_bindings(rig.another(), rig.clock)

    again = started_anew.resume(sealed, browser_secret=BROWSER, person=None)
    assert again.binding.genesys_token == TOKEN


def test_a_session_moves_between_processes(rig: StoreRig) -> None:
    sealed = bound(guest_bindings(rig.store, rig.clock)).encrypted_session_id

    assert all_at_once(3, resume_elsewhere, rig.address, sealed) == [TOKEN] * 3


@pytest.mark.parametrize("secret", [None, "", "x", OTHER_BROWSER, BROWSER[:-1], BROWSER + "x", "ü"])
def test_a_stolen_id_alone_opens_nothing(bindings: GuestBindings, secret: str | None) -> None:
    sealed = bound(bindings).encrypted_session_id

    with pytest.raises(SessionUnknownError):
        bindings.resume(sealed, browser_secret=secret, person=None)


def test_a_stolen_cookie_alone_opens_nothing(bindings: GuestBindings) -> None:
    session = bound(bindings)

    for guess in (session.session_id, session.binding.guest_id, "", "A" * 78):
        with pytest.raises(SessionUnknownError):
            bindings.resume(guess, browser_secret=BROWSER, person=None)


@given(where=st.integers(min_value=0), other=st.characters())
def test_a_changed_id_opens_nothing(where: int, other: str) -> None:
    _, _, bindings = in_memory()
    sealed = bound(bindings).encrypted_session_id
    at = where % len(sealed)
    changed = sealed[:at] + other + sealed[at + 1 :]

    assume(changed != sealed)
    with pytest.raises(SessionUnknownError):
        bindings.resume(changed, browser_secret=BROWSER, person=None)


@pytest.mark.parametrize("junk", ["", "A", "AAAA", "=" * 78, "ü" * 78, "A" * 513, "A" * 10**6, " "])
def test_junk_is_no_session_and_nothing_else_is_raised(bindings: GuestBindings, junk: str) -> None:
    with pytest.raises(SessionUnknownError):
        bindings.resume(junk, browser_secret=BROWSER, person=None)


def test_another_value_sealed_by_us_is_no_session_id() -> None:
    store, clock, bindings = in_memory()
    bound(bindings)
    ring = session_id_ring(
        store,
        master_keys=(MASTER,),
        clock=clock,
        entropy=SystemEntropy(),
        rotate_after=LIFETIME,
    )
    moved = ring.seal(b"whatever", context="something else")

    with pytest.raises(SessionUnknownError):
        bindings.resume(
            base64.urlsafe_b64encode(moved).decode().rstrip("="),
            browser_secret=BROWSER,
            person=None,
        )


def test_a_session_needs_a_strong_cookie() -> None:
    _, _, bindings = in_memory()

    with pytest.raises(ValueError, match="256 bits"):
        bindings.bind(guest_id="g", genesys_token=TOKEN, browser_secret="short")


# Whose it is


@pytest.mark.parametrize(
    ("owner", "asks", "gets"),
    [
        (None, None, True),
        (None, "amira", True),
        ("amira", "amira", True),
        ("amira", None, False),
        ("amira", "ben", False),
        ("amira", "", False),
    ],
)
def test_a_session_has_one_owner(
    bindings: GuestBindings, owner: str | None, asks: str | None, gets: bool
) -> None:
    sealed = bound(bindings, person=owner).encrypted_session_id

    if gets:
        resumed = bindings.resume(sealed, browser_secret=BROWSER, person=asks)
        assert resumed.binding.person == owner
    else:
        with pytest.raises(SessionUnknownError):
            bindings.resume(sealed, browser_secret=BROWSER, person=asks)


def test_a_step_up_keeps_the_token_and_shuts_everybody_else_out(bindings: GuestBindings) -> None:
    session = bound(bindings)

    owned = bindings.step_up(session.session_id, "amira")

    assert owned.binding.person == "amira"
    assert owned.binding.genesys_token == TOKEN
    assert bindings.step_up(session.session_id, "amira").binding.person == "amira"
    for somebody in (None, "ben"):
        with pytest.raises(SessionUnknownError):
            bindings.resume(owned.encrypted_session_id, browser_secret=BROWSER, person=somebody)
    with pytest.raises(SessionUnknownError):
        bindings.step_up(session.session_id, "ben")


def test_of_two_people_at_once_one_gets_the_session(rig: StoreRig) -> None:
    session = bound(guest_bindings(rig.store, rig.clock))
    ours = guest_bindings(rig.another(), rig.clock)

    owners = all_at_once(4, step_up_together, rig.address, session.session_id, ["amira", "ben"])

    assert set(owners) == {ours.find(session.session_id).person}


# How long it lives


def test_a_session_nobody_uses_ends(rig: StoreRig, bindings: GuestBindings) -> None:
    session = bound(bindings)
    rig.forward(LIFETIME)
    if rig.address.kind == "redis":
        rig.clock.advance(LIFETIME)

    with pytest.raises(SessionUnknownError):
        bindings.resume(session.encrypted_session_id, browser_secret=BROWSER, person=None)


def test_a_session_in_use_lives_far_longer_than_its_lifetime_and_its_keys() -> None:
    store, clock, bindings = in_memory()
    session = bound(bindings)
    for _ in range(12 * 24):  # a whole day, used every five minutes; ids are rotated every hour
        clock.advance(5 * MINUTE)
        session = bindings.extend(session.session_id)

    again = bindings.resume(session.encrypted_session_id, browser_secret=BROWSER, person=None)

    assert again.binding.expires_at == clock.now() + LIFETIME
    assert len(store.values()) <= 3  # two rings and the binding: nothing piles up


def test_each_id_that_a_page_was_given_is_good_for_a_lifetime() -> None:
    """Whenever the key rotates, an id that was handed out opens as long as it may be needed."""
    for minutes in range(0, 120, 7):
        _, clock, bindings = in_memory()
        bound(bindings)  # makes the key
        clock.advance(minutes * MINUTE)
        session = bound(bindings)
        for _ in range(59):
            clock.advance(MINUTE)
            bound(bindings)  # others chat on: the key rotates as soon as it is due
        clock.advance(MINUTE - SECOND)

        again = bindings.resume(session.encrypted_session_id, browser_secret=BROWSER, person=None)

        assert again.session_id == session.session_id


def test_an_id_from_before_a_rotation_opens_and_a_fresh_one_is_given() -> None:
    _, clock, bindings = in_memory()
    old = bound(bindings).encrypted_session_id
    clock.advance(30 * MINUTE)
    bindings.resume(old, browser_secret=BROWSER, person=None)
    clock.advance(29 * MINUTE)
    rotated = guest_bindings(bindings._drawer._store, clock)

    fresh = rotated.resume(old, browser_secret=BROWSER, person=None).encrypted_session_id
    clock.advance(50 * MINUTE)

    assert fresh != old
    again = rotated.resume(fresh, browser_secret=BROWSER, person=None)
    assert again.binding.genesys_token == TOKEN


def test_using_a_session_writes_seldom() -> None:
    store, clock, bindings = in_memory()
    session = bound(bindings)
    version = held_version(store)
    versions = set()
    for _ in range(600):
        clock.advance(SECOND)
        bindings.extend(session.session_id)
        versions.add(held_version(store))

    assert len(versions - {version}) == 2  # ten minutes are two twelfths of an hour


def held_version(store: MemoryStore) -> int:
    name = next(name for name in store.names() if name.startswith("guest:"))
    entry = store.get(name)
    assert entry is not None
    return entry.version


def test_what_has_ended_is_never_brought_back(bindings: GuestBindings) -> None:
    session = bound(bindings)

    ended = bindings.end(session.session_id)

    assert ended == session.binding
    assert bindings.end(session.session_id) is None
    with pytest.raises(SessionUnknownError):
        bindings.extend(session.session_id)
    with pytest.raises(SessionUnknownError):
        bindings.step_up(session.session_id, "amira")
    with pytest.raises(SessionUnknownError):
        bindings.find(session.session_id)
    with pytest.raises(SessionUnknownError):
        bindings.resume(session.encrypted_session_id, browser_secret=BROWSER, person=None)


class EndsMeanwhile(MemoryStore):
    """A store in which somebody ends the session between our reading and our writing."""

    armed = False

    def replace(self, key: str, value: bytes, *, version: int, ttl: timedelta) -> int | None:
        if self.armed and key.startswith("guest:"):
            self.armed = False
            self.delete(key)
        return super().replace(key, value, version=version, ttl=ttl)


DEEDS: dict[str, Callable[[GuestBindings, GuestSessionId], BoundSession]] = {
    "extending": lambda bindings, session: bindings.extend(session),
    "stepping up": lambda bindings, session: bindings.step_up(session, "amira"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_an_end_in_the_middle_of_a_write_wins(deed: str) -> None:
    clock = HandClock()
    store = EndsMeanwhile(clock)
    bindings = guest_bindings(store, clock)
    session = bound(bindings)
    clock.advance(10 * MINUTE)
    store.armed = True

    with pytest.raises(SessionUnknownError):
        DEEDS[deed](bindings, session.session_id)

    assert store.armed is False
    assert [name for name in store.names() if name.startswith("guest:")] == []


class SomebodyElseIsQuicker(MemoryStore):
    """A store in which another process writes between our reading and our writing."""

    quicker: Callable[[], object] | None = None

    def get(self, key: str) -> Entry | None:
        entry = super().get(key)
        if self.quicker and key.startswith("guest:"):
            deed, self.quicker = self.quicker, None
            deed()
        return entry


def test_a_step_up_in_the_middle_of_another_wins() -> None:
    clock = HandClock()
    store = SomebodyElseIsQuicker(clock)
    bindings, elsewhere = guest_bindings(store, clock), guest_bindings(store, clock)
    session = bound(bindings)
    store.quicker = lambda: elsewhere.step_up(session.session_id, "ben")

    with pytest.raises(SessionUnknownError):
        bindings.step_up(session.session_id, "amira")

    assert bindings.find(session.session_id).person == "ben"


def test_a_store_that_is_away_ends_no_session() -> None:
    store, _, bindings = in_memory()
    session = bound(bindings)
    store.down = True

    with pytest.raises(StoreDownError):
        bindings.extend(session.session_id)
    with pytest.raises(StoreDownError):
        bindings.resume(session.encrypted_session_id, browser_secret=BROWSER, person=None)

    store.down = False
    assert bindings.find(session.session_id) == session.binding


# What a thief of the store has


def test_the_store_holds_neither_token_nor_cookie_nor_what_we_know_of_a_guest() -> None:
    store, _, bindings = in_memory()
    session = bound(bindings, person="amira")

    for value in store.values():
        for secret in (TOKEN, BROWSER, "phone", "amira", "guest-1", session.encrypted_session_id):
            assert secret.encode() not in value


def test_nothing_secret_shows_itself_in_a_log() -> None:
    _, _, bindings = in_memory()
    session = bound(bindings)

    shown = repr(session)

    for secret in (TOKEN, session.binding.browser, session.encrypted_session_id, "phone"):
        assert secret not in shown


# Several sessions of one conversation


def test_an_end_of_a_guest_ends_every_session_and_says_why(bindings: GuestBindings) -> None:
    first, second = bound(bindings), bound(bindings)

    assert len(bindings.end_all("guest-1", reason=GuestEnd.ENDED)) == 2
    assert bindings.end_all("guest-1", reason=GuestEnd.CLOSED) == []

    for session in (first, second):
        assert bindings.why_gone(session.session_id) is GuestEnd.ENDED, "the first reason counts"
        with pytest.raises(SessionUnknownError):
            bindings.resume(session.encrypted_session_id, browser_secret=BROWSER, person=None)


def test_a_session_that_ran_out_has_expired(bindings: GuestBindings, rig: StoreRig) -> None:
    session = bound(bindings)
    rig.clock.advance(LIFETIME)
    assert bindings.why_gone(session.session_id) is GuestEnd.EXPIRED


def test_who_steps_up_owns_every_session_of_the_conversation_and_none_lives_longer(
    bindings: GuestBindings,
) -> None:
    first, second = bound(bindings), bound(bindings)

    bindings.step_up(first.session_id, "amira")

    other = bindings.find(second.session_id)
    assert (other.person, other.expires_at) == ("amira", second.binding.expires_at)
    with pytest.raises(SessionUnknownError):
        bindings.resume(second.encrypted_session_id, browser_secret=BROWSER, person=None)


def test_a_session_of_another_person_stays_theirs_when_somebody_steps_up(
    bindings: GuestBindings,
) -> None:
    first, second = bound(bindings), bound(bindings, person="zoe")
    bindings.step_up(first.session_id, "amira")
    assert bindings.find(second.session_id).person == "zoe"
