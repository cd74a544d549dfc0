"""What a database means when it refuses, in words without a secret.

The words of a driver may hold the URL, and the URL a password: only what is known is told.
"""

import sqlite3
from typing import Final

_SQLITE: Final = {
    "SQLITE_READONLY": "the file, or its folder, is read-only",
    "SQLITE_CANTOPEN": "the file cannot be opened: its folder is missing, it is a directory, "
    "or this account has no right to it",
    "SQLITE_NOTADB": "the file is not a SQLite database",
    "SQLITE_CORRUPT": "the file is damaged",
    "SQLITE_PERM": "this account has no right to the file",
    "SQLITE_AUTH": "this account has no right to the file",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_ERROR": "a statement failed: something is missing there, or is there already",
}
_STATES: Final = {
    "28P01": "the password was refused",
    "28000": "the role may not log in there",
    "3D000": "there is no such database",
    "42501": "the role lacks a right",
    "25006": "the database is read-only",
    "3F000": "there is no schema that the role can use",
}
_CONNECTING: Final = (
    # Before a session has begun, psycopg passes on the server's words and no code.
    ("password authentication failed", _STATES["28P01"]),
    ("no password supplied", "a password is needed"),
    ("no pg_hba.conf entry", "the server lets this role and address in nowhere (pg_hba.conf)"),
    ("is not permitted to log in", _STATES["28000"]),
    ("permission denied for database", "the role may not connect to this database"),
    ("role", "there is no such role"),
    ("database", _STATES["3D000"]),
)
_MISSING: Final = "does not exist"


def refusal(error: BaseException | None) -> str | None:
    """Return what was refused; None if nobody answered, or for a reason that may pass."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", None) or ""
        return next((words for code, words in _SQLITE.items() if name.startswith(code)), None)
    state = getattr(cause, "sqlstate", None)
    if state:
        return _STATES.get(state)
    return _while_connecting(str(cause))


def _while_connecting(said: str) -> str | None:
    for words, meaning in _CONNECTING:
        if " " in words and words in said:
            return meaning
        if " " not in words and f'{words} "' in said and _MISSING in said:
            return meaning
    return None


def first_line(error: BaseException) -> str:
    """Return the first line of what a database said about a statement: it holds no URL."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).splitlines()
    return lines[0] if lines else type(cause).__name__
