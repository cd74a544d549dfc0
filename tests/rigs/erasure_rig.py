"""Records as `serve` has them, on either database, with the keys in a file of their own."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bff_rig import environment
from hand_clock import HandClock

from bff.adapters.system import SystemEntropy
from bff.crypto.keyring import KeyRing
from bff.guests.guest_binding import BoundSession, GuestBindings, session_id_ring
from bff.ports import Clock, Foundation
from bff.record_wiring import build_records
from bff.records.audit_events import Actor, ActorKind
from bff.records.audit_verification import Verdict, Verification
from bff.records.erasure import Asker
from bff.records.guest_memory import GuestFacts
from bff.records.guest_records import GuestRecords
from bff.records.record_house import Records
from bff.settings import Settings
from bff.wiring import open_store

DEVICE: Final = "device-of-amira"
BROWSER: Final = "b" * 43
TOKEN: Final = "3f0e3c52-9a53-4d32-8ea7-6a2b21f0a1aa"
PROFILE: Final = {"email": "Amira@Example.com", "name": "Amira Haddad"}
SECRET: Final = "deletion-secret-0123456789-abcdefghij"
ASKER: Final = Asker(actor=Actor(kind=ActorKind.OPERATOR, name="robin"), source="192.0.2.7")


def variables_for(folder: Path, records_url: str, **changes: str) -> dict[str, str]:
    return environment(
        "http://idp.localhost",
        **{
            "BFF_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
            "BFF_RECORDS_URL": records_url,
            "BFF_DELETION_SECRET": SECRET,
            **changes,
        },
    )


@dataclass(kw_only=True)
class ErasureRig:
    """The parts, for a test to turn."""

    settings: Settings
    clock: Any
    foundation: Foundation
    records: Records
    bindings: GuestBindings
    folder: Path
    events: list[Any] = field(default_factory=list)

    @property
    def guests(self) -> GuestRecords:
        return self.records.guests

    def remember(self, guest_id: str = "guest-1", **more: Any) -> None:
        facts: dict[str, Any] = {
            "device_id": DEVICE,
            "browser_secret": BROWSER,
            "genesys_token": TOKEN,
            "profile": PROFILE,
        }
        chosen = GuestFacts(guest_id=guest_id, at=self.clock.now(), **{**facts, **more})
        assert self.guests.memory.write(chosen)

    def bind(self, guest_id: str = "guest-1", person: str | None = None) -> BoundSession:
        return self.bindings.bind(
            guest_id=guest_id, genesys_token=TOKEN, browser_secret=BROWSER, person=person
        )

    def told(self) -> list[tuple[str, str, str | None]]:
        """Return action, actor and guest of every event, in the order of the chain."""
        self.records.settle()
        rows = self.records.keeper.rows(after=0, limit=10_000)
        return [(row.action, f"{row.actor_kind}:{row.actor}", row.guest) for row in rows]

    def verdict(self) -> Verdict:
        self.records.settle()
        trusted = {key.public: key.until for key in self.records.head_keys.known()}
        return Verification(self.records.keeper, trusted=trusted).run()

    def opens_nothing(self, guest_id: str = "guest-1") -> bool:
        """Say whether nothing of this guest can be read, whatever lies in the database."""
        row = self.guests.rows.find(guest_id)
        if self.guests.memory.profile_of(guest_id) is not None:
            return False
        _, recalled = self.guests.memory.recall(
            device_id=DEVICE, browser_secret=BROWSER, person=None
        )
        return recalled is None and (row is None or self.guests.keys.find(guest_id) is None)


@contextmanager
def erasure_rig(
    folder: Path, records_url: str, *, clock: Clock | None = None, **changes: str
) -> Iterator[ErasureRig]:
    """Build it all; a second one on the same folder and URL is the next start of the service."""
    turned, entropy = clock or HandClock(), SystemEntropy()
    settings = Settings.read(variables_for(folder, records_url, **changes))
    store = open_store(settings, clock=turned, entropy=entropy)
    ring = KeyRing(
        store,
        "at-rest",
        master_keys=settings.master_keys,
        clock=turned,
        entropy=entropy,
        rotate_after=timedelta(days=30),
        keep_for=timedelta(days=8),
    )
    foundation = Foundation(store=store, sealer=ring, clock=turned, entropy=entropy)
    ids = session_id_ring(
        store,
        master_keys=settings.master_keys,
        clock=turned,
        entropy=entropy,
        rotate_after=timedelta(days=1),
    )
    records = build_records(settings, foundation)
    assert records is not None
    try:
        records.database.upgrade()
        yield ErasureRig(
            settings=settings,
            clock=turned,
            foundation=foundation,
            records=records,
            bindings=GuestBindings(foundation, session_ids=ids),
            folder=folder,
        )
    finally:
        records.close()
        store.close()


def stored_key(file: Path) -> bytes:
    """Return the key of guest-1 as it lies, sealed, in the file of the keys."""
    with sqlite3.connect(file) as connection:
        (found,) = connection.execute("SELECT value FROM entries WHERE name = 'guest-key:guest-1'")
    connection.close()
    return bytes(found[0])
