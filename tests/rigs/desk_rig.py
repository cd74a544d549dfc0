"""A real desk, whose store can be taken down, or come back as it was earlier."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from memory_store import MemoryStore
from records_rig import NotedTrail, RecordsRig, running_records
from ring_rigs import MASTER

from bff.guests.frame_errors import FrameCode, GuestEnd
from bff.guests.guest_binding import GuestBindings, session_id_ring
from bff.guests.guest_desk import GuestDesk, SignedInGuest
from bff.guests.guest_limits import GuestLimits
from bff.guests.guest_tasks import (
    EndGuest,
    GuestNotOpened,
    GuestOpened,
    OpenGuest,
    OwnGuest,
)
from bff.guests.live_guests import LiveGuests
from bff.guests.provisioning import LocalProvisioning
from bff.records.archive import Archive

BROWSER: Final = "b" * 43


@dataclass(kw_only=True)
class OneSignIn:
    """Keeps `guest_desk.SignIns`: whoever is signed in on this browser, if anybody is."""

    until: Any
    person: str | None = None

    def behind(self, session_token: str | None) -> SignedInGuest | None:
        del session_token
        return self.of("")

    def of(self, session_key: str) -> SignedInGuest | None:
        if self.person is None:
            return None
        return SignedInGuest(session_key=session_key, person=self.person, until=self.until)


@dataclass(kw_only=True)
class DeskRig:
    """A real desk on a store that can be taken down, and a database that can be kept busy."""

    rig: RecordsRig
    desk: GuestDesk
    trail: NotedTrail
    sign_ins: OneSignIn

    @property
    def store(self) -> MemoryStore:
        return cast("MemoryStore", self.rig.foundation.store)

    def open(self, sealed: str | None = None) -> GuestOpened | GuestNotOpened:
        answer = self.desk.perform(
            OpenGuest(
                address="192.0.2.1",
                browser_secret=BROWSER,
                session_token=None,
                device_id="device-1",
                profile=None,
                encrypted_session_id=sealed,
            )
        )
        assert isinstance(answer, GuestOpened | GuestNotOpened)
        return answer

    def opened(self, sealed: str | None = None) -> GuestOpened:
        answer = self.open(sealed)
        assert isinstance(answer, GuestOpened), answer
        return answer

    def settled(self, sealed: str | None = None) -> GuestOpened:
        answer = self.opened(sealed)
        self.rig.writer.once()
        return answer

    def end_of(self, opened: GuestOpened) -> EndGuest:
        return EndGuest(
            session_id=opened.session_id,
            session_key=None,
            reason=GuestEnd.ENDED,
            guest_id=opened.guest_id,
        )

    def owns(self, opened: GuestOpened, person: str) -> object:
        return self.desk.perform(OwnGuest(session_id=opened.session_id, person=person))

    def is_refused(self, sealed: str) -> bool:
        answer = self.open(sealed)
        return isinstance(answer, GuestNotOpened) and answer.code is FrameCode.SESSION_UNKNOWN


@contextmanager
def running_desk(folder: Path) -> Iterator[DeskRig]:
    """Put a desk on a database and a store of its own."""
    with running_records(f"sqlite:///{folder / 'records.sqlite3'}") as records:
        here, trail = records.foundation, NotedTrail()
        ids = session_id_ring(
            here.store,
            master_keys=(MASTER,),
            clock=here.clock,
            entropy=here.entropy,
            rotate_after=timedelta(hours=1),
        )
        sign_ins = OneSignIn(until=here.clock.now() + timedelta(hours=8))
        nothing: Any = None
        desk = GuestDesk(
            bindings=GuestBindings(here, session_ids=ids),
            provisioning=LocalProvisioning(here.entropy),
            limits=GuestLimits(here.store, clock=here.clock),
            sign_ins=sign_ins,
            tokens=nothing,
            history=nothing,
            live=LiveGuests(here),
            clock=here.clock,
            archive=Archive(
                memory=records.memory, trail=trail, clock=here.clock, entropy=here.entropy
            ),
        )
        yield DeskRig(rig=records, desk=desk, trail=trail, sign_ins=sign_ins)
