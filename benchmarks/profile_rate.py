"""How many guests a second are remembered and recalled, sealed under keys of their own.

Run it with `python benchmarks/profile_rate.py`; with `--postgresql URL` (an empty database) for
PostgreSQL as well. One process, one thread: the figure is what a guest costs, not what a server
farm carries. The named peer is the same row written in the clear, without key or fingerprint.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import insert, text

from bff.adapters.sql_engine import RecordsPlace, SqlRecords
from bff.adapters.sql_guests import SqlGuests, micros
from bff.adapters.sql_tables import guests
from bff.adapters.sqlite_store import SqliteStore
from bff.adapters.system import SystemClock, SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.ports import Foundation
from bff.records.guest_keys import GuestKeys
from bff.records.guest_marks import GuestMarks
from bff.records.guest_memory import GuestFacts, GuestMemory, Recall
from bff.records.outbox import Outbox
from bff.records.purpose_keys import PurposeKeys

GUESTS: Final = 1000
PROFILE: Final = {"email": "amira.haddad@example.com", "name": "Amira Haddad"}
TOKEN: Final = "3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa"  # noqa: S105 - what a guest's looks like


def main() -> None:
    """Print a table for each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgresql", metavar="URL", help="an empty database of your own")
    chosen = parser.parse_args().postgresql
    with tempfile.TemporaryDirectory() as folder:
        run("SQLite", f"sqlite:///{folder}/records.sqlite3", Path(folder))
        if chosen:
            run("PostgreSQL", chosen, Path(folder))


def run(name: str, url: str, folder: Path) -> None:
    """Measure one database."""
    sql = SqlRecords(RecordsPlace(url=url))
    sql.upgrade()
    memory = memory_on(sql, folder / f"{name}-keys.sqlite3")
    began = datetime.now(UTC)  # noqa: TID251 - a benchmark's clock
    try:
        print(f"{name}, {GUESTS} guests")
        plain = timed("written in the clear", lambda n: in_the_clear(sql, n, began))
        sealed = timed("written sealed", lambda n: memory.write(facts(n, began)))
        again = timed("written again", lambda n: memory.write(facts(n, began + timedelta(hours=1))))
        back = timed("recalled", lambda n: recalled(memory, n))
        print(f"  sealed costs {sealed / plain:.1f} x the clear one, again {again / plain:.1f} x,")
        print(f"  recalling {back / plain:.1f} x\n")
    finally:
        sql.close()


def timed(what: str, work: Callable[[int], object]) -> float:
    """Do it for each guest; print how fast, and return the median in ms."""
    took = []
    for number in range(GUESTS):
        at = time.perf_counter()
        work(number)
        took.append((time.perf_counter() - at) * 1000)
    took.sort()
    median, p99 = statistics.median(took), took[int(len(took) * 0.99)]
    print(f"  {what:22} {1000 * GUESTS / sum(took):8.0f} /s   p50 {median:.2f} ms   p99 {p99:.2f}")
    return median


def memory_on(sql: SqlRecords, keys_file: Path) -> GuestMemory:
    """Return a memory as `serve` has it, its keys in a file of their own."""
    clock, entropy = SystemClock(), SystemEntropy()
    store = SqliteStore(keys_file, clock=clock, entropy=entropy)
    ring = KeyRing(
        store,
        "guest-keys",
        master_keys=[entropy.bytes(32)],
        clock=clock,
        entropy=entropy,
        rotate_after=timedelta(days=30),
        keep_for=timedelta(days=60),
    )
    foundation = Foundation(store=store, sealer=ring, clock=clock, entropy=entropy)
    return GuestMemory(
        rows=SqlGuests(sql),
        keys=GuestKeys(replace(foundation), ring=ring),
        purposes=PurposeKeys(entropy.bytes(32)),
        outbox=Outbox(foundation),
        tenant="benchmark",
        fields=(),
        clock=clock,
        entropy=entropy,
        marks=GuestMarks(foundation.store),
    )


def facts(number: int, at: datetime) -> GuestFacts:
    """Return what is known of a guest."""
    return GuestFacts(
        guest_id=f"guest-{number}",
        at=at,
        device_id=f"device-{number}",
        browser_secret=f"{number:043}",
        genesys_token=TOKEN,
        profile=PROFILE,
    )


def recalled(memory: GuestMemory, number: int) -> None:
    """Recall a guest, who must be found."""
    came, _ = memory.recall(
        device_id=f"device-{number}", browser_secret=f"{number:043}", person=None
    )
    if came is not Recall.RESUMED:
        raise SystemExit(f"guest {number} was not found")


def in_the_clear(sql: SqlRecords, number: int, at: datetime) -> None:
    """Write the same in the clear: what a service without any of this would do."""
    row = {
        "guest_id": f"plain-{number}",
        "tenant": "plain",
        "device": f"device-{number}",
        "email_sealed": PROFILE["email"].encode(),
        "name_sealed": PROFILE["name"].encode(),
        "session_sealed": TOKEN.encode(),
        "created_at": micros(at),
        "seen_at": micros(at),
        "version": 1,
    }
    known = text("SELECT guest_id FROM guests WHERE tenant = 'plain' AND device = :device")
    sql.write(
        lambda connection: (
            connection.execute(known, {"device": row["device"]}).first(),
            connection.execute(insert(guests).values(**row)),
        )
    )


if __name__ == "__main__":
    main()
