"""Files of ours are scrubbed after an erasure; what was prevented is owed, and done later.

SQLite keeps what was deleted in the log beside a file, and a process that reads can keep it there.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Final

from bff.errors import BffError
from bff.ports import Store

log = logging.getLogger(__name__)

OWED: Final = "scrubs-owed"
RETRY: Final = "scrub-retry"
PAUSE: Final = timedelta(minutes=5)
KEEP: Final = timedelta(days=3650)

Scrub = Callable[[], bool]
"""Scrubs one file; False if that was prevented. May raise a BffError."""


class OwedScrubs:
    """Remembers in the store for which guests files are still to be scrubbed: it outlives us.

    A guest is named by pseudonym. `files` are those of the stores; a store elsewhere has none.
    """

    def __init__(self, store: Store, *, files: Sequence[Scrub] = ()) -> None:
        self._store = store
        self._files = tuple(files)

    def owe(self, pseudonym: str) -> None:
        """Write down that something of this guest is about to be deleted. StoreDownError."""
        self._store.join(OWED, pseudonym, ttl=KEEP)

    def owed(self) -> list[str]:
        """Return the guests for whom it is still to be done. StoreDownError."""
        return self._store.members(OWED)

    def due(self) -> bool:
        """Say whether it is time for another try, where each would cost more than it brings."""
        return self._store.acquire_lease(RETRY, ttl=PAUSE) is not None

    def pay(self, pseudonyms: Collection[str], *, also: Scrub) -> bool:
        """Scrub every file, the one of the records (`also`) too; say whether all were scrubbed.

        Raises nothing: what could not be done is owed on.
        """
        # Each is tried, whatever becomes of the others.
        clean = [_scrubbed(scrub) for scrub in (also, *self._files)]
        if not all(clean):
            log.warning("erasure: a file is in use and still holds deleted data; tried again soon")
            return False
        try:
            for pseudonym in pseudonyms:
                self._store.leave(OWED, pseudonym)
        except BffError as error:
            log.warning("erasure: files are scrubbed once more: %s: %s", error.code, error.detail)
            return False
        return True


def _scrubbed(scrub: Scrub) -> bool:
    try:
        return scrub()
    except BffError as error:
        log.warning("erasure: a file was not scrubbed: %s: %s", error.code, error.detail)
        return False
