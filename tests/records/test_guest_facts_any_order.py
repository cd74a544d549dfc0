"""Facts of a guest from two workers: any order, repetition and delay gives the same row.

An end that was told stays told: no older fact, however late, opens the conversation again.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_server import PostgresServer
from records_rig import TENANT, RecordsRig, database, memory_of, running_records
from sqlalchemy import text

from bff.records.guest_memory import GuestFacts, Recall

GUEST: Final = "guest-1"
DEVICE: Final = "device-1"
START: Final = datetime.fromisoformat("2026-11-01T09:00:00+00:00")
MOMENTS: Final = st.integers(0, 4).map(lambda minutes: START + timedelta(minutes=minutes))
BROWSERS: Final = st.sampled_from(["b" * 43, "o" * 43])
PROFILES: Final = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(["amira@example.com", "zoe@example.com"]),
        "name": st.sampled_from(["Amira", "Zoe"]),
        "plan": st.sampled_from(["gold", "blue"]),
    },
)


def told(**more: Any) -> "st.SearchStrategy[GuestFacts]":
    # What a page says is said to be unverified: not to say so means that it is not known.
    named = {"email_verified": st.just(value=False), **more}
    return st.builds(GuestFacts, guest_id=st.just(GUEST), at=MOMENTS, **named)


OPENED: Final = told(
    device_id=st.just(DEVICE),
    browser_secret=BROWSERS,
    genesys_token=st.sampled_from(["token-1", "token-2", "token-3"]),
    profile=PROFILES,
)
OWNED: Final = told(
    person=st.sampled_from(["amira", "zoe"]), profile=PROFILES, email_verified=st.just(value=True)
)
ENDED: Final = told(ended=st.just(value=True))
IMPORTED: Final = told(
    device_id=st.just("imported"), profile=PROFILES, imported=st.just(value=True)
)
SEEN: Final = told()
FACTS: Final = st.lists(
    st.one_of(OPENED, OPENED, OWNED, ENDED, IMPORTED, SEEN), min_size=1, max_size=7
)


@dataclass(frozen=True)
class Delivery:
    """Each fact at least once, in some order, by one of two workers."""

    order: tuple[int, ...]
    workers: tuple[int, ...]


@st.composite
def deliveries(draw: st.DrawFn, count: int) -> Delivery:
    again = draw(st.lists(st.integers(0, count - 1), max_size=4))
    order = draw(st.permutations([*range(count), *again]))
    workers = draw(st.tuples(*[st.integers(0, 1)] * len(order)))
    return Delivery(tuple(order), workers)


def plain(rig: RecordsRig) -> dict[str, Any]:
    """Return the row with what is sealed opened: a seal is another one each time."""
    row = rig.rows.find(GUEST)
    assert row is not None
    session = None
    if row.session_sealed is not None:
        key = rig.keys.find(GUEST)
        assert key is not None
        sealed = key.open(row.session_sealed, context=f"guests:session:{GUEST}")
        session = json.loads(sealed)["genesys_token"]
    kept = ("device", "person", "browser", "email", "email_verified", "session_at", "ended_at")
    return {
        **{name: getattr(row, name) for name in (*kept, "created_at", "seen_at")},
        "session": session,
        "profile": rig.memory.profile_of(GUEST),
    }


def after(rig: RecordsRig, facts: list[GuestFacts], delivery: Delivery) -> dict[str, Any]:
    rig.sql.write(lambda connection: connection.execute(text("DELETE FROM guests")))
    # The key is there from the beginning, so that an end alone does not differ by it.
    rig.keys.find_or_make(GUEST)
    workers = (rig.memory, memory_of(rig, TENANT))
    for index, worker in zip(delivery.order, delivery.workers, strict=True):
        assert workers[worker].write(facts[index])
    return plain(rig)


def newest(facts: list[GuestFacts], of: str) -> set[Any]:
    """Return what may stand there: what was said last, by guests rather than by imports."""
    said = [fact for fact in facts if getattr(fact, of) is not None and not fact.ended]
    own = [fact for fact in said if not fact.imported] or said
    last = max((fact.at for fact in own), default=None)
    return {getattr(fact, of) for fact in own if fact.at == last}


def emails(facts: list[GuestFacts]) -> tuple[set[str], bool | None]:
    said = [fact for fact in facts if "email" in fact.profile]
    verified = [fact for fact in said if fact.email_verified]
    own = verified or [fact for fact in said if not fact.imported] or said
    last = max((fact.at for fact in own), default=None)
    return {f.profile["email"] for f in own if f.at == last}, bool(verified) if said else None


def agrees(rig: RecordsRig, row: dict[str, Any], facts: list[GuestFacts]) -> None:
    """Compare with what anybody would say who has all facts before them."""
    ended = max((fact.at for fact in facts if fact.ended), default=None)
    opened = max((fact.at for fact in facts if fact.genesys_token), default=None)
    goes_on = opened is not None and (ended is None or opened > ended)
    assert row["ended_at"] == ended
    assert row["session_at"] == opened
    assert row["session"] in (newest(facts, "genesys_token") if goes_on else {None})
    for column, purpose, of in (
        ("device", "device", "device_id"),
        ("person", "person", "person"),
        ("browser", "browser", "browser_secret"),
    ):
        prints = {rig.memory._print(purpose, value) for value in newest(facts, of)}
        assert row[column] in (prints or {None})
    expected, verified = emails(facts)
    email = (row["profile"] or {}).get("email")
    assert email in expected if expected else email is None
    assert row["email_verified"] is verified
    lived = [fact.at for fact in facts if not fact.imported]
    assert row["created_at"] == min(fact.at for fact in facts)
    assert row["seen_at"] == (max(lived) if lived else row["created_at"])
    came_back(rig, facts, goes_on=goes_on)


def came_back(rig: RecordsRig, facts: list[GuestFacts], *, goes_on: bool) -> None:
    owners = newest(facts, "person") - {None}
    for browser in ("b" * 43, "o" * 43):
        for person in (None, "amira", "zoe"):
            came, _ = rig.memory.recall(device_id=DEVICE, browser_secret=browser, person=person)
            if came is Recall.RESUMED:
                assert goes_on, "an ended conversation comes back"
                assert not owners or person in owners, "a person's comes back to somebody else"
                assert owners or browser in newest(facts, "browser_secret")
                continue
            proven = owners == {person} or (
                not owners and newest(facts, "browser_secret") == {browser}
            )
            assert not (goes_on and proven), "a conversation that goes on is lost"


def run(rig: RecordsRig, data: st.DataObject) -> None:
    facts = data.draw(FACTS)
    first = after(rig, facts, data.draw(deliveries(len(facts))))
    agrees(rig, first, facts)
    assert after(rig, facts, data.draw(deliveries(len(facts)))) == first


@contextmanager
def sqlite() -> Iterator[RecordsRig]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_records(f"sqlite:///{folder}/r.sqlite3") as rig,
    ):
        yield rig


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[RecordsRig]:
    with sqlite() as rig:
        yield rig


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer) -> Iterator[RecordsRig]:
    with database("postgresql", Path(), postgres) as url, running_records(url) as rig:
        yield rig


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_order_of_facts_gives_one_row_on_sqlite(
    on_sqlite: RecordsRig, data: st.DataObject
) -> None:
    run(on_sqlite, data)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_order_of_facts_gives_one_row_on_postgresql(
    on_postgresql: RecordsRig, data: st.DataObject
) -> None:
    run(on_postgresql, data)
