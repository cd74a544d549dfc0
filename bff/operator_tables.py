"""What operators read: tables of sessions and keys, plain text, one line each."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from bff.broker.signing_keys import SigningKeys
from bff.crypto.keyring import KeyRing
from bff.signin.records import BrowserSession

MIN_PREFIX: Final = 8
SHOWN_CHARS: Final = 16
"""Of a session's id: enough to name it among millions, short enough for a line."""


class NoSessionChosenError(ValueError):
    """The operator's words name no session, or not one alone; the text says which."""


def session_table(sessions: Iterable[BrowserSession], *, person: str | None) -> str:
    """Return a table of sessions, newest first, for one person or for all."""
    rows = [
        (
            session.key[:SHOWN_CHARS],
            _printable(session.person.claims.get("email", session.person.subject)),
            session.person.provider,
            _minute(session.created_at),
            _minute(session.seen_at),
            _minute(session.ends_at),
        )
        for session in sessions
        if person is None or _is(session, person)
    ]
    if not rows:
        return "nobody is signed in" if person is None else f"no session of {person}"
    return _table(("SESSION", "PERSON", "PROVIDER", "SINCE", "LAST USED", "ENDS"), rows)


def chosen_sessions(
    sessions: Iterable[BrowserSession], *, prefix: str | None, person: str | None
) -> list[BrowserSession]:
    """Return the sessions of a person, or the one that `prefix` names and no other.

    Raises NoSessionChosenError: ending a stranger's session is worse than ending none.
    """
    if person is not None:
        found = [session for session in sessions if _is(session, person)]
        if not found:
            raise NoSessionChosenError(f"no session of {person}")
        return found
    if prefix is None or len(prefix) < MIN_PREFIX:
        raise NoSessionChosenError(f"{prefix} is too short: give {MIN_PREFIX} characters or more")
    found = [session for session in sessions if session.key.startswith(prefix)]
    if len(found) != 1:
        problem = "fits several sessions: give more of it" if found else "is no session"
        raise NoSessionChosenError(f"{prefix} {problem}")
    return found


def key_table(rings: Mapping[str, KeyRing], signing_keys: SigningKeys) -> str:
    """Return a table of the keys that seal, sign, and seal ids of chats and keys of guests.

    With each ring it says under which master key it lies; a ring that is not made yet has no row.
    """
    # In this order: looking at the signing keys seals, and so makes the ring if there is none.
    signing = signing_keys.keys()
    rows = []
    for use, ring in rings.items():
        under = ring.master_key()
        rows += [
            (use, key.id, key.state.value, _minute(key.created), under.name if under else "")
            for key in ring.keys()  # noqa: SIM118 - no dictionary
        ]
        if use == "seal":
            rows += [
                ("sign", key.id, key.state.value, _minute(key.created_at), "") for key in signing
            ]
    return _table(("USE", "KEY", "STATE", "CREATED", "MASTER KEY"), rows)


def _is(session: BrowserSession, person: str) -> bool:
    email = session.person.claims.get("email")
    return person == session.person.subject or (
        email is not None and person.lower() == email.lower()
    )


def _printable(text: str) -> str:
    """What a provider calls somebody must not steer the operator's terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )
    return "\n".join(lines)
