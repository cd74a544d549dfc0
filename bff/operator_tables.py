"""What operators read: tables of sessions and keys, plain text, one line each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from bff.broker.signing_keys import SigningKeys
from bff.crypto.keyring import KeyRing
from bff.signin.records import BrowserSession

MIN_PREFIX: Final = 8


def session_table(sessions: Iterable[BrowserSession], *, person: str | None) -> str:
    """Return a table of sessions, newest first, for one person or for all."""
    rows = [
        (
            session.key,
            session.person.claims.get("email", session.person.subject),
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
    """Return the sessions of a person, or the one that `prefix` names and no other."""
    if person is not None:
        return [session for session in sessions if _is(session, person)]
    if prefix is None or len(prefix) < MIN_PREFIX:
        return []
    found = [session for session in sessions if session.key.startswith(prefix)]
    return found if len(found) == 1 else []


def key_table(ring: KeyRing, signing_keys: SigningKeys) -> str:
    """Return a table of the keys that seal and the keys that sign."""
    sealing, signing = ring.keys(), signing_keys.keys()
    rows = [
        *(("seal", key.id, key.state.value, _minute(key.created)) for key in sealing),
        *(("sign", key.id, key.state.value, _minute(key.created_at)) for key in signing),
    ]
    return _table(("USE", "KEY", "STATE", "CREATED"), rows)


def _is(session: BrowserSession, person: str) -> bool:
    email = session.person.claims.get("email", "")
    return person == session.person.subject or person.lower() == email.lower()


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )
    return "\n".join(lines)
