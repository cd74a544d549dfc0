"""How a fact about a guest and what is known already become one row, in whatever order they come.

Each group of columns is a register of its own: the newest fact that says something of it counts,
and of two facts of one moment the one with the greater tie-break. So any order, repetition or
delay of the same facts gives the same row. An end is no register: it is the latest moment at
which an end was told, and takes every session that is not younger.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Columns: TypeAlias = dict[str, Any]
Known: TypeAlias = Mapping[str, Any]

IMPORTED: Final = 2**53
"""Taken off the time of an import, in µs: whatever a guest has told counts more, whenever it was
told; of two imports the later one counts."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "device": ("device",),
    "person": ("person",),
    "browser": ("browser",),
    "email": ("email", "email_sealed", "email_verified"),
    "name": ("name_sealed",),
    "fields": ("fields_sealed",),
    "session": ("session_sealed",),
}
VALUES: Final = frozenset(column for group in GROUPS.values() for column in group)

_Rank: TypeAlias = tuple[bool, int, str]


def merged(known: Known | None, fact: Known, *, at: int, tie: str, imported: bool) -> Columns:
    """Return the whole row that comes of a fact, told at `at` (µs); of `known`, if there is any.

    `fact` has the values of the groups (None: says nothing of it), and `ended_at`.
    """
    row = _empty(fact) if known is None else _timed(known)
    when = at - IMPORTED if imported else at
    for group, columns in GROUPS.items():
        if fact[columns[0]] is not None and _rank(fact, group, when, tie) > _held(row, group):
            row |= {column: fact[column] for column in columns}
            row |= {f"{group}_at": when, "ties": {**row["ties"], group: tie}}
    row["created_at"] = min(row["created_at"], at) if known is not None else at
    row["told_at"] = row["told_at"] if imported else _later(row["told_at"], at)
    row["ended_at"] = _later(row["ended_at"], fact["ended_at"])
    row["seen_at"] = row["told_at"] if row["told_at"] is not None else row["created_at"]
    return {**_over(row), "ties": json.dumps(row["ties"], sort_keys=True)}


def changed(known: Known, row: Columns) -> Columns:
    """Return what of it is new."""
    return {name: value for name, value in row.items() if value != known[name]}


def _empty(fact: Known) -> Columns:
    nothing = {**dict.fromkeys(VALUES), **{f"{group}_at": None for group in GROUPS}}
    return {
        "guest_id": fact["guest_id"],
        "tenant": fact["tenant"],
        **nothing,
        **dict.fromkeys(("created_at", "seen_at", "told_at", "ended_at")),
        "ties": {},
        "version": fact["version"],
    }


def _timed(known: Known) -> Columns:
    """Return a row that is there, also one that a process of the version before has written.

    It says not when its session was opened; not after the guest was last seen.
    """
    opened = known["session_at"]
    if opened is None and known["session_sealed"] is not None:
        opened = known["seen_at"]
    return {**known, "session_at": opened, "ties": json.loads(known["ties"] or "{}")}


def _rank(fact: Known, group: str, when: int, tie: str) -> _Rank:
    # What a provider has verified counts more than what a page claims, whenever it claims it.
    return (group == "email" and bool(fact["email_verified"]), when, tie)


def _held(row: Columns, group: str) -> _Rank:
    at = row[f"{group}_at"]
    if at is None and row[GROUPS[group][0]] is not None:
        at = row["seen_at"]  # written by a process of the version before
    if at is None:
        return (False, -(2**63), "")
    return _rank(row, group, at, row["ties"].get(group, ""))


def _later(one: int | None, other: int | None) -> int | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _over(row: Columns) -> Columns:
    """Take the session away if its conversation has ended: also one that was opened as it ended."""
    opened, ended = row["session_at"], row["ended_at"]
    over = ended is not None and opened is not None and opened <= ended
    return {**row, "session_sealed": None} if over else row
