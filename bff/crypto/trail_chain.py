"""How one event of the audit trail hangs on the one before it.

Whatever is stored of an event goes into its hash, each column with its kind and length before it,
so that no two different rows are spelled alike; the hash of the row before goes in last.
"""

from hashlib import sha256
from typing import Final, TypeAlias

Column: TypeAlias = int | float | str | bytes | None

LABEL: Final = b"messenger-bff/audit-event/v1"
BEGINNING: Final = bytes(32)
"""What the first event hangs on."""

SALT_BYTES: Final = 16


def framed(column: Column) -> bytes:
    """Return a column so that its kind and its end are plain."""
    if column is None:
        return b"-"
    if isinstance(column, str):
        raw = column.encode()
        return b"t%d:%b" % (len(raw), raw)
    if isinstance(column, int):
        return b"i%d;" % column
    if isinstance(column, bytes):
        return b"b%d:%b" % (len(column), column)
    # SQLite lets whoever meddles write anything anywhere: it must be found, not trip us.
    return b"?" + framed(repr(column))


def link(columns: tuple[Column, ...], previous: bytes) -> bytes:
    """Return the hash of an event: SHA-256 over its columns and the hash before it."""
    return sha256(LABEL + b"".join(map(framed, columns)) + framed(previous)).digest()


def source_digest(salt: bytes, source: str) -> str:
    """Return what stands in the chain for an address.

    The salt lies beside the address and goes with it. Without it nobody can try all addresses.
    """
    return sha256(b"messenger-bff/audit-source/v1" + framed(salt) + framed(source)).hexdigest()
