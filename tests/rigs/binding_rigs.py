"""Guest bindings for tests, here and in other processes."""

import os
from datetime import timedelta
from typing import Final

from hand_clock import HandClock
from process_crowd import assemble
from ring_rigs import MASTER, key_ring
from store_rigs import StoreAddress

from bff.adapters.system import SystemEntropy
from bff.guests.guest_binding import (
    BoundSession,
    GuestBindings,
    GuestSessionId,
    SessionUnknownError,
    session_id_ring,
)
from bff.ports import Clock, Foundation, Store

LIFETIME: Final = timedelta(hours=1)
ROTATE_IDS_AFTER: Final = timedelta(hours=1)
BROWSER: Final = "the-cookie-of-this-browser-with-256-random-bits"
OTHER_BROWSER: Final = "the-cookie-of-another-one---with-256-random-bits"
TOKEN: Final = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def guest_bindings(store: Store, clock: Clock) -> GuestBindings:
    """Return the bindings as a process that has just started has them."""
    entropy = SystemEntropy()
    at_rest = key_ring(store, clock, purpose="at-rest")
    ids = session_id_ring(
        store,
        master_keys=(MASTER,),
        clock=clock,
        entropy=entropy,
        rotate_after=ROTATE_IDS_AFTER,
        lifetime=LIFETIME,
    )
    foundation = Foundation(store=store, sealer=at_rest, clock=clock, entropy=entropy)
    return GuestBindings(foundation, session_ids=ids, lifetime=LIFETIME)


def bound(bindings: GuestBindings, *, person: str | None = None) -> BoundSession:
    return bindings.bind(
        guest_id="guest-1",
        genesys_token=TOKEN,
        browser_secret=BROWSER,
        person=person,
        metadata={"device": "phone"},
    )


def resume_elsewhere(address: StoreAddress, sealed: str) -> str:
    """Continue a session in a process that has never seen it; return its Genesys token."""
    bindings = guest_bindings(address.open(), HandClock())
    assemble()
    return bindings.resume(sealed, browser_secret=BROWSER, person=None).binding.genesys_token


def step_up_together(address: StoreAddress, session_id: str, people: list[str]) -> str:
    """Try to own a session, half of the processes in the other order; say who owns it."""
    bindings = guest_bindings(address.open(), HandClock())
    tries = people if os.getpid() % 2 else people[::-1]
    assemble()
    for person in tries:
        try:
            return str(bindings.step_up(GuestSessionId(session_id), person).binding.person)
        except SessionUnknownError:
            continue
    return "nobody"
