"""What an erasure cannot reach by its nature, for the store and the database in use."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """One thing that is left, where it lies, and the command that ends it."""

    where: str
    what: str
    command: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.command}"


_FILES: Final = Remainder(
    where="files of SQLite",
    what="a process that reads keeps deleted data in a file until it ends",
    command="the service scrubs again within seconds; or stop what reads, and run `erase` again",
)
_REDIS: Final = Remainder(
    where="Redis",
    what="the append-only file and the last snapshot keep deleted keys and sessions, encrypted",
    command="redis-cli BGREWRITEAOF; redis-cli BGSAVE (on each replica as well)",
)
_TABLES: Final = Remainder(
    where="PostgreSQL, tables",
    what="deleted rows stay in their pages: columns of the guest without a key, addresses in plain",
    command="VACUUM FULL guests, audit_sources, erasures",
)
_LOG: Final = Remainder(
    where="PostgreSQL, write-ahead log",
    what="the same rows, in its segments, its archive, replicas and base backups",
    command="CHECKPOINT, then pg_archivecleanup; delete older base backups",
)
_BACKUPS: Final = Remainder(
    where="backups",
    what="copies of the keys and the store from before open copies of the records from before",
    command="delete both, or the copies of the keys at least",
)
_GENESYS: Final = Remainder(
    where="Genesys",
    what="the conversations and the contact",
    command="messenger-bff gdpr status ID --wait, or messenger-bff gdpr request",
)


def what_remains(*, in_redis: bool, in_postgresql: bool, is_owed: bool) -> list[Remainder]:
    """Return what is left; `is_owed` says that a file could not be scrubbed yet."""
    asked = ((_FILES, is_owed), (_REDIS, in_redis), (_TABLES, in_postgresql), (_LOG, in_postgresql))
    return [*(one for one, is_there in asked if is_there), _BACKUPS, _GENESYS]
