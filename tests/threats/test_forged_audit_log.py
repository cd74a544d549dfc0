"""A forged audit log: each attacker with each kind of access, and by what it is noticed.

The attacks are in tests/rigs/forged_logs.py; the table in docs/records.md is made of them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from forged_logs import ATTACKS, PAGE, Attack, Stage, Who, page_with
from postgres_server import PostgresServer
from security_model import Asset, Attacker, threat
from trail_rig import KINDS, TrailPlaces, trail_rig


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrailPlaces]:
    with PostgresServer() as server:
        yield TrailPlaces(tmp_path_factory.mktemp("template"), server)


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path, places: TrailPlaces) -> Iterator[Stage]:
    rig = trail_rig(places.new(request.param, tmp_path), tmp_path)
    made = Stage.set_up(rig)
    yield made
    made.role.records.close()
    rig.records.close()


def by(*who: Who) -> list[object]:
    return [pytest.param(one, id=one.does) for one in ATTACKS if one.who in who]


def assert_noticed(stage: Stage, attack: Attack) -> None:
    assert stage.play(attack.play) == (attack.inside, attack.outside)


@threat(
    Attacker.SERVICE_ROLE,
    Asset.AUDIT_LOG,
    can="add an event that follows, also one that never happened; no other, and change none",
    noticed="the database refuses all else; a forged checkpoint or key is told by `audit verify`",
)
@pytest.mark.parametrize("attack", by(Who.SERVICE_ROLE))
def test_the_role_of_the_service_only_adds_what_follows(stage: Stage, attack: Attack) -> None:
    assert_noticed(stage, attack)


@threat(
    Attacker.DATABASE_OWNER,
    Asset.AUDIT_LOG,
    can="change what came after the newest checkpoint",
    noticed="all else: the service signs no further, and `audit verify` says where",
)
@pytest.mark.parametrize("attack", by(Who.DATABASE_OWNER))
def test_the_owner_of_the_database_rewrites_nothing_that_was_signed(
    stage: Stage, attack: Attack
) -> None:
    assert_noticed(stage, attack)


@threat(
    Attacker.DATABASE_OWNER,
    Asset.AUDIT_LOG,
    can="with a leaked key that was replaced: no more than without it, whatever date they write",
    noticed="`audit verify` names the last event that the key has signed",
)
@pytest.mark.parametrize("attack", by(Who.KEY_THIEF))
def test_a_leaked_old_key_signs_nothing_that_is_believed(stage: Stage, attack: Attack) -> None:
    assert_noticed(stage, attack)


@threat(
    Attacker.STORE_OWNER,
    Asset.AUDIT_LOG,
    can="destroy the checkpoint key and what was signed last; nothing of the log",
    noticed="an event, an ERROR in the log of the service, and `audit verify`",
)
@pytest.mark.parametrize("attack", by(Who.STORE_OWNER))
def test_the_owner_of_the_store_makes_no_new_key_in_silence(stage: Stage, attack: Attack) -> None:
    assert_noticed(stage, attack)


@threat(
    Attacker.BOTH_OWNERS,
    Asset.AUDIT_LOG,
    can="bring an old copy of the store back and rewrite what was signed since",
    noticed="only copies of checkpoints outside (`BFF_AUDIT_HEADS`) tell",
)
@pytest.mark.parametrize("attack", by(Who.BOTH))
def test_the_owner_of_both_is_found_out_by_copies_outside(stage: Stage, attack: Attack) -> None:
    assert_noticed(stage, attack)


def test_the_table_of_the_docs_is_what_was_played() -> None:
    text = PAGE.read_text("utf-8")

    assert page_with(text) == text, "run: python tests/rigs/forged_logs.py --write"


def test_a_forged_checkpoint_is_copied_nowhere_and_stops_nothing(stage: Stage) -> None:
    stage.owner.drop_triggers()
    stage.role.insert_checkpoint(stage.own_key.checkpoint(10**9, bytes(32), signed_at=2**62))
    before = stage.rig.copies_file.read_text().splitlines()

    stage._service_goes_on()

    copied = stage.rig.copies_file.read_text().splitlines()[len(before) :]
    assert copied
    assert all(stage.own_key.public not in line for line in copied)
    reach = stage.rig.verify(store=True).reach
    assert [one.where for one in reach] == ["table", "store", "copies"]
    assert {one.seq for one in reach} == {11}
