"""Which key was valid for which events: read from the log itself.

A key is believed if it is trusted from elsewhere (the store, `--key`), if a believed key that had
not been replaced vouches for it, or if a believed key says that it came before. It is believed up
to the last checkpoint that its successor names; a checkpoint of a later event is a thief's,
whatever it says of the time. A statement counts in the place where it stands: one that a replaced
key makes afterwards is not heard.

There is no bound from below. Who has a key that is in use can sign what is there now, and gains
nothing by signing what was there before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bff.records.audit_details import escaped
from bff.records.audit_events import Action
from bff.records.checkpoint_signatures import KeyStatement, fits, in_time, states
from bff.trail_ports import SignedHead, TrailRow

LOST: Final = "lost"
MOST_KEY_CHARS: Final = 60
PROOF: Final = '"proof":'
"""What an event has that is a key's own word; others tell of keys as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A statement of a key about itself, and where it stands in the log."""

    seq: int
    statement: KeyStatement
    vouched: str | None


class KeyHistory:
    """Gathers what the log says of its keys, and judges checkpoints by it.

    `signed` are the hashes (hexadecimal) that a key has stated for the last event of another one.
    """

    def __init__(
        self, trusted: Mapping[str, datetime | None], ends: Mapping[str, int] | None = None
    ) -> None:
        self._until = dict(trusted)
        self._ends: dict[str, int] = dict(ends or {})
        self._replaced_at: dict[str, int] = {}
        self._told: list[Told] = []
        self.faults: list[tuple[int, str]] = []
        self.breaks: dict[str, tuple[int, str]] = {}
        self.signed: dict[int, set[str]] = {}

    def see(self, row: TrailRow) -> None:
        """Hear an event of the log, in its order."""
        if row.action == Action.CHECKPOINT_BREAK.value:
            self.breaks.setdefault(f"event {row.seq}", (row.seq, _what_was_noted(row)))
        if row.action != Action.KEYS_ROTATED.value or PROOF not in row.details:
            return
        told = _read(row)
        if told is None:
            self.faults.append((row.seq, "it names a checkpoint key that did not write it: forged"))
        else:
            self._told.append(told)

    def settle(self) -> None:
        """Follow from the keys that are trusted to all others."""
        heard: set[int] = set()
        grows = True
        while grows:
            grows = False
            for told in self._told:
                if told.seq not in heard and self._believes(told):
                    heard.add(told.seq)
                    self._follow(told)
                    grows = True
        said = [told.statement for told in self._told if told.seq in heard]
        # Whom a lost key had replaced cannot be followed: that break is told instead.
        broken = max((seq for seq, _ in self.breaks.values()), default=0)
        for told in self._told:
            # Said twice is said once.
            if told.seq > broken and told.seq not in heard and told.statement not in said:
                self.faults.append((told.seq, self._why_unheard(told.statement.key)))

    def _why_unheard(self, key: str) -> str:
        if key in self._until:
            return f"a checkpoint key speaks that had been replaced: {named(key)}"
        return f"it introduces a checkpoint key that no key of ours vouches for: {named(key)}"

    def is_known(self, key: str) -> bool:
        """Say whether a key is believed for any event at all."""
        return key in self._until

    def why_not(self, head: SignedHead) -> str | None:
        """Return why a checkpoint is not believed; None if it is."""
        if head.key_id not in self._until:
            return f"forged, or of a key that is unknown here: {named(head.key_id)}"
        if not fits(head):
            return "forged: its signature does not fit"
        last = self._ends.get(head.key_id)
        if last is not None and head.seq > last:
            return f"forged: its key had been replaced, and event {last} is the last that it signed"
        # Where its last event is known, no clock is asked: it may have been wrong, and set since.
        if last is None and not in_time(head, self._until[head.key_id]):
            return "forged: its key had been replaced when it was signed"
        return None

    def _believes(self, told: Told) -> bool:
        statement = told.statement
        if statement.key in self._until:
            # One's own word, or a key's that was vouched for: unless it is out of use by then.
            return not self._is_over(statement.key, told.seq)
        before = statement.replaces
        if before is None or before not in self._until or told.vouched is None:
            return False
        if self._until[before] is not None or self._is_over(before, told.seq):
            return False
        return states(before, statement, told.vouched)

    def _is_over(self, key: str, seq: int) -> bool:
        at = self._replaced_at.get(key)
        return at is not None and seq > at

    def _follow(self, told: Told) -> None:
        statement = told.statement
        self._until.setdefault(statement.key, None)
        before = statement.replaces
        if statement.begun == LOST:
            self.breaks.setdefault(statement.key, (told.seq, _what_a_break_means(statement)))
        if before is None:
            return
        self._until.setdefault(before, None)
        self._replaced_at.setdefault(before, told.seq)
        # Without a last checkpoint: the event of its replacement cannot have been signed by it.
        last = told.seq - 1 if statement.last_seq is None else statement.last_seq
        self._ends.setdefault(before, last)
        if statement.last_seq and statement.last_hash:
            # As good as a checkpoint of its own: this key found that event there, and signs it.
            self.signed.setdefault(statement.last_seq, set()).add(statement.last_hash)


def named(key: object) -> str:
    """Return what a row says is the name of a key, for a line of text: it may hold anything."""
    return escaped(str(key), MOST_KEY_CHARS)


def _what_a_break_means(statement: KeyStatement) -> str:
    found = (
        f"it was {named(statement.replaces)}, which signed event {statement.last_seq} last"
        if statement.replaces
        else "which one it was is not known"
    )
    return (
        f"the checkpoint key was lost, and another one began: {found}; compare what lies before "
        "with the copies kept outside"
    )


def _what_was_noted(row: TrailRow) -> str:
    try:
        why = str(json.loads(row.details)["why"])
    except (KeyError, RecursionError, TypeError, ValueError):
        why = "nothing that can be read"
    return f"the service noted here: {escaped(why)}"


def _read(row: TrailRow) -> Told | None:
    """Return what a key says of itself; None if it is not its own word."""
    try:
        details = json.loads(row.details)
        statement = KeyStatement(
            key=details["head_key"],
            begun=details["begun"],
            replaces=details.get("replaces"),
            last_seq=details.get("last_seq"),
            last_hash=details.get("last_hash"),
        )
        own = states(statement.key, statement, details["proof"])
        vouched = details.get("vouched")
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    if not own or not isinstance(details.get("last_seq"), int | None):
        return None
    return Told(seq=row.seq, statement=statement, vouched=vouched)
