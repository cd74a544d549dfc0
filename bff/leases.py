"""Holds on to a lease while slow work goes on."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from bff.errors import StoreDownError
from bff.ports import Lease, Store

log = logging.getLogger(__name__)


@contextmanager
def kept(store: Store, lease: Lease, *, ttl: timedelta) -> Iterator[None]:
    """Renew `lease` in the background until the block ends, then give it back.

    Losing it does not stop the block: whoever saves with it must compare versions anyway.
    """
    done = threading.Event()

    def renew() -> None:
        while not done.wait(ttl.total_seconds() / 3):
            try:
                if not store.renew_lease(lease, ttl=ttl):
                    log.warning("lease lost while working: fence %d", lease.fence)
                    return
            except StoreDownError:
                continue
            except Exception:
                # Whatever it was: a lease that is renewed no more is given to somebody else.
                log.exception("a lease could not be renewed: fence %d", lease.fence)

    keeper = threading.Thread(target=renew, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
        try:
            store.release_lease(lease)
        except StoreDownError:
            log.warning("lease not given back; it runs out in %s", ttl)
