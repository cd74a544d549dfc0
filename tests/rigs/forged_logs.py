"""Who can forge what in the audit log: each attack, played, and by what it is noticed.

The table in docs/records.md is made from these: `python tests/rigs/forged_logs.py --write`.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from database_attackers import (
    DatabaseOwner,
    KeyThief,
    ServiceRole,
    StoreOwner,
    database_owner,
    service_role,
)
from sqlalchemy.exc import DBAPIError
from trail_rig import TrailRig

from bff.errors import RecordsDownError
from bff.records.audit_events import Action
from bff.trail_ports import SignedHead, micros

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "records.md"
BEGIN: Final = "<!-- forged logs -->"
END: Final = "<!-- /forged logs -->"
AGE: Final = timedelta(minutes=15)
MEMORY: Final = "audit-signed:"
KEYS: Final = "audit-head-keys:"


class Who(StrEnum):
    """What is in the attacker's hands."""

    SERVICE_ROLE = "the service's database role"
    DATABASE_OWNER = "the database owner"
    STORE_OWNER = "the store's owner (without the master key)"
    KEY_THIEF = "the database owner with a leaked old key"
    BOTH = "the owner of database and store"


class Noticed(StrEnum):
    """By what it is noticed."""

    REFUSED = "the database refuses it"
    SERVICE = "the service, at its next checkpoint, and `audit verify`"
    VERIFY = "`audit verify`"
    NOBODY = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A log of nine events: the third signed with a key that was replaced, the seventh since.

    Events 4 and 5 introduce both keys; events 8 and 9 are not signed yet.
    """

    rig: TrailRig
    role: ServiceRole
    owner: DatabaseOwner
    store: StoreOwner
    old_key: KeyThief
    own_key: KeyThief

    @classmethod
    def set_up(cls, rig: TrailRig) -> "Stage":
        rig.fill(3)
        rig.signer.tend(now=rig.clock.now())
        old_key = KeyThief(seed=rig.head_keys._record().seed)
        rig.signer.introduce()
        rig.writer.once()
        rig.head_keys.rotate()
        rig.signer.introduce()
        rig.writer.once()
        store = StoreOwner(store=rig.store)
        store.keep_a_copy(MEMORY)
        rig.fill(2, first=4)
        rig.clock.advance(AGE)
        assert rig.signer.tend(now=rig.clock.now())
        rig.fill(2, first=6)
        assert not rig.verify(store=True).faults
        return cls(
            rig=rig,
            role=service_role(rig),
            owner=database_owner(rig),
            store=store,
            old_key=old_key,
            own_key=KeyThief.with_own_key(rig.foundation.entropy),
        )

    def head(self, thief: KeyThief, *, ago: timedelta = timedelta(0)) -> SignedHead:
        """Sign the end of the log with a thief's key, and say that it was so long ago."""
        return thief.checkpoint(*self.role.last(), signed_at=micros(self.rig.clock.now() - ago))

    def play(self, attack: Callable[["Stage"], None]) -> tuple[Noticed, Noticed]:
        """Attack, let the service go on, and look: without copies outside, and with them."""
        try:
            attack(self)
        except DBAPIError:
            return Noticed.REFUSED, Noticed.REFUSED
        said = self._service_goes_on()
        inside = self.rig.verify(outside=False, store=True)
        outside = self.rig.verify(store=True)
        broken = any(note.startswith("BREAK") for note in inside.notes)
        if said:
            assert inside.faults or broken, "what the service says, `audit verify` says as well"
        return (
            _noticed(said=said, verified=bool(inside.faults or broken)),
            _noticed(said=said, verified=bool(outside.faults or broken)),
        )

    def _service_goes_on(self) -> bool:
        """Write and sign as the service does; say whether it noticed anything."""
        rig, said = self.rig, False
        for number in (20, 21):
            try:
                rig.fill(1, first=number)
            except RecordsDownError:
                said = True
            rig.clock.advance(AGE)
            rig.signer.tend(now=rig.clock.now())
            said = said or rig.signer.refuses is not None
            rig.signer.introduce()
            rig.writer.once()
        told = self.rig.raw(
            "SELECT action FROM audit_events WHERE outcome = 'failed' "
            "AND action IN ('keys_rotated', 'checkpoint_break')"
        )
        return said or bool(told)


def _noticed(*, said: bool, verified: bool) -> Noticed:
    if said:
        return Noticed.SERVICE
    return Noticed.VERIFY if verified else Noticed.NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack, and by what it is noticed without copies of checkpoints outside, and with."""

    who: Who
    does: str
    play: Callable[[Stage], None]
    inside: Noticed
    outside: Noticed


def _changes_an_event(stage: Stage) -> None:
    stage.role.run("UPDATE audit_events SET actor = 'x' WHERE seq = 2")


def _deletes_a_checkpoint(stage: Stage) -> None:
    stage.role.run("DELETE FROM audit_heads")


def _ends_the_log(stage: Stage) -> None:
    stage.role.insert_event(stage.rig.entry(30), seq=2**63 - 1)


def _leaves_a_gap(stage: Stage) -> None:
    stage.role.insert_event(stage.rig.entry(30), seq=stage.role.last()[0] + 2)


def _unlinked(stage: Stage) -> None:
    stage.role.insert_event(stage.rig.entry(30), previous=bytes(32))


def _wrong_hash(stage: Stage) -> None:
    stage.role.insert_event(stage.rig.entry(30), hash=bytes(32))


def _signs_the_future(stage: Stage) -> None:
    head = stage.own_key.checkpoint(10**9, bytes(32), signed_at=0)
    stage.role.insert_checkpoint(head)


def _forges_a_checkpoint(stage: Stage) -> None:
    stage.role.insert_checkpoint(stage.head(stage.own_key))


def _introduces_a_key(stage: Stage) -> None:
    said = stage.own_key.statement(replaces=stage.rig.head_keys.known()[-1].public)
    entry = stage.rig.entry(30, action=Action.KEYS_ROTATED, details=said)
    stage.role.insert_event(entry)
    stage.role.insert_checkpoint(stage.head(stage.own_key))


def _invents_an_event(stage: Stage) -> None:
    stage.role.insert_event(stage.rig.entry(30))


def _owner(attack: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Take the triggers away first."""

    def play(stage: Stage) -> None:
        stage.owner.drop_triggers()
        attack(stage)

    return play


def _cuts_what_is_not_signed(stage: Stage) -> None:
    stage.owner.cut(7)
    stage.owner.run("DELETE FROM audit_sources WHERE seq > 7")


def _cuts_what_is_signed(stage: Stage) -> None:
    stage.owner.cut(6)


def _cuts_with_checkpoints(stage: Stage) -> None:
    stage.owner.cut(6)
    stage.owner.delete_checkpoints(after=6)


def _rewrites(stage: Stage) -> None:
    stage.owner.rewrite(2, rehash=False)


def _rewrites_with_hashes(stage: Stage) -> None:
    stage.owner.rewrite(2, rehash=True)


def _rewrites_all(stage: Stage) -> None:
    stage.owner.rewrite(2, rehash=True)
    stage.owner.delete_checkpoints()


def _rewrites_what_is_not_signed(stage: Stage) -> None:
    stage.owner.rewrite(8, rehash=True)


def _loses_the_key(stage: Stage) -> None:
    stage.store.overwrite(KEYS)


def _takes_the_key(stage: Stage) -> None:
    stage.store.delete(KEYS)


def _loses_the_memory(stage: Stage) -> None:
    stage.store.delete(MEMORY)


def _spoils_the_memory(stage: Stage) -> None:
    stage.store.overwrite(MEMORY)


def _loses_the_store(stage: Stage) -> None:
    stage.store.delete("")


def _thief_signs_now(stage: Stage) -> None:
    stage.role.insert_checkpoint(stage.head(stage.old_key))


def _thief_signs_then(stage: Stage) -> None:
    stage.role.insert_checkpoint(stage.head(stage.old_key, ago=timedelta(days=1)))


def _thief_rewrites(stage: Stage) -> None:
    _rewrites_all(stage)
    _thief_signs_then(stage)


def _thief_rewrites_its_own_time(stage: Stage) -> None:
    stage.owner.rewrite(2, rehash=True)
    stage.owner.delete_checkpoints()
    rows = stage.owner.run("SELECT seq, hash FROM audit_events WHERE seq = 3")
    then = micros(stage.rig.clock.now() - timedelta(days=1))
    head = stage.old_key.checkpoint(rows[0].seq, bytes(rows[0].hash), signed_at=then)
    stage.owner.run("SELECT 1")
    stage.role.insert_checkpoint(head)


def _rewrites_and_forgets(stage: Stage) -> None:
    _rewrites_all(stage)
    stage.store.delete(MEMORY)


def _rewrites_and_turns_back(stage: Stage) -> None:
    """Bring back what the store remembered when event 3 was signed, and rewrite what came then."""
    stage.owner.rewrite(6, rehash=True)
    stage.owner.delete_checkpoints(after=3)
    stage.store.bring_back()


_R, _S, _V, _N = Noticed.REFUSED, Noticed.SERVICE, Noticed.VERIFY, Noticed.NOBODY

ATTACKS: Final = tuple(
    Attack(who=who, does=does, play=play, inside=inside, outside=outside)
    for who, does, play, inside, outside in (
        (Who.SERVICE_ROLE, "changes or deletes an event", _changes_an_event, _R, _R),
        (Who.SERVICE_ROLE, "deletes a checkpoint", _deletes_a_checkpoint, _R, _R),
        (Who.SERVICE_ROLE, "ends the log with the largest number", _ends_the_log, _R, _R),
        (Who.SERVICE_ROLE, "leaves numbers out", _leaves_a_gap, _R, _R),
        (Who.SERVICE_ROLE, "adds an event that does not follow", _unlinked, _R, _R),
        (Who.SERVICE_ROLE, "adds an event with a wrong hash", _wrong_hash, _V, _V),
        (Who.SERVICE_ROLE, "adds a checkpoint of an event to come", _signs_the_future, _R, _R),
        (Who.SERVICE_ROLE, "adds a forged checkpoint", _forges_a_checkpoint, _V, _V),
        (Who.SERVICE_ROLE, "introduces a checkpoint key of its own", _introduces_a_key, _V, _V),
        (Who.SERVICE_ROLE, "adds an event that never happened", _invents_an_event, _N, _N),
        (Who.DATABASE_OWNER, "changes an event", _owner(_rewrites), _V, _V),
        (
            Who.DATABASE_OWNER,
            "changes an event and computes all hashes anew",
            _owner(_rewrites_with_hashes),
            _S,
            _S,
        ),
        (Who.DATABASE_OWNER, "… and deletes all checkpoints", _owner(_rewrites_all), _S, _S),
        (
            Who.DATABASE_OWNER,
            "cuts off events that are signed",
            _owner(_cuts_what_is_signed),
            _S,
            _S,
        ),
        (
            Who.DATABASE_OWNER,
            "… together with their checkpoints",
            _owner(_cuts_with_checkpoints),
            _S,
            _S,
        ),
        (
            Who.DATABASE_OWNER,
            "cuts off events after the newest checkpoint",
            _owner(_cuts_what_is_not_signed),
            _N,
            _N,
        ),
        (
            Who.DATABASE_OWNER,
            "rewrites events after the newest checkpoint",
            _owner(_rewrites_what_is_not_signed),
            _N,
            _N,
        ),
        (Who.KEY_THIEF, "signs the log with it today", _owner(_thief_signs_now), _V, _V),
        (Who.KEY_THIEF, "signs the log with an old date", _owner(_thief_signs_then), _V, _V),
        (
            Who.KEY_THIEF,
            "rewrites the log, deletes all checkpoints, signs with an old date",
            _owner(_thief_rewrites),
            _S,
            _S,
        ),
        (
            Who.KEY_THIEF,
            "… an event that the old key did sign",
            _owner(_thief_rewrites_its_own_time),
            _S,
            _S,
        ),
        (Who.STORE_OWNER, "overwrites the checkpoint key", _loses_the_key, _S, _S),
        (Who.STORE_OWNER, "deletes the checkpoint key", _takes_the_key, _S, _S),
        (Who.STORE_OWNER, "deletes what was signed last", _loses_the_memory, _S, _S),
        (Who.STORE_OWNER, "overwrites what was signed last", _spoils_the_memory, _S, _S),
        (Who.STORE_OWNER, "deletes the whole store", _loses_the_store, _S, _S),
        (
            Who.BOTH,
            "rewrites the log, and deletes all checkpoints and what was signed last",
            _owner(_rewrites_and_forgets),
            _S,
            _S,
        ),
        (
            Who.BOTH,
            "brings an old copy of the store back, and rewrites what was signed since",
            _owner(_rewrites_and_turns_back),
            _N,
            _V,
        ),
    )
)


def table() -> str:
    """Return the attacks as a table."""
    lines = [
        "| who | does | noticed by, without copies outside | with copies outside |",
        "|---|---|---|---|",
    ]
    before: Who | None = None
    for attack in ATTACKS:
        who = "" if attack.who is before else attack.who.value
        before = attack.who
        lines.append(f"| {who} | {attack.does} | {attack.inside} | {attack.outside} |")
    return "\n".join(lines)


def page_with(text: str) -> str:
    """Return the page with its table made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> int:
    """Compare the page with the attacks, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/records.md")
    text = PAGE.read_text("utf-8")
    if parser.parse_args().write:
        PAGE.write_text(page_with(text), "utf-8")
        return 0
    if page_with(text) != text:
        sys.stderr.write("docs/records.md is not what the attacks say: run with --write\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
