"""A document of another server: what was good stays good until a better one has been read."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from bff.errors import BffError, IdentityProviderDownError, ProviderAnswerError
from bff.ports import Clock

log = logging.getLogger(__name__)

LIFE: Final = timedelta(hours=1)
"""How long a document is used before it is asked for again."""

RETRY_PAUSE: Final = timedelta(minutes=1)
"""How long the one before is used without asking, after it could not be replaced."""

FIRST_PAUSE: Final = timedelta(seconds=2)
"""How long nobody asks again where there is none yet: hundreds of requests may be waiting."""

STALE_LIMIT: Final = timedelta(days=7)
"""How long a document outlives the last time that it could be read."""

Document = TypeVar("Document")


class KeptDocument(Generic[Document]):
    """One document, fetched by one thread at a time, while the others go on with what there is.

    `fetch` raises IdentityProviderDownError or ProviderAnswerError. `what` names it in the log.
    """

    def __init__(self, fetch: Callable[[], Document], *, what: str, clock: Clock) -> None:
        self._fetch = fetch
        self._what = what
        self._clock = clock
        self._fetching = threading.Lock()
        self._known: Document | None = None
        self._read_at = clock.now()
        self._until = datetime.min.replace(tzinfo=clock.now().tzinfo)
        self._failed: BffError | None = None

    def get(self) -> Document:
        """Return the document. Raises what `fetch` does where there is none that still counts."""
        known = self._fresh()
        if known is None and self._fetching.locked() and not self._too_old():
            # Old, and somebody is at it: a slow server must not hold everybody up.
            known = self._known
        if known is not None:
            return known
        with self._fetching:
            # Somebody may have fetched it while we waited.
            known = self._fresh()
            return known if known is not None else self._fetched()

    def fetch_now(self) -> Document:
        """Fetch it whatever its age, as something in it has changed. Raises what `fetch` does."""
        with self._fetching:
            return self._keep(self._fetch())

    def _fresh(self) -> Document | None:
        """Return what needs no fetch; raise if nobody may ask again now."""
        if self._clock.now() >= self._until:
            return None
        if self._failed is not None:
            raise type(self._failed)(f"{self._failed.detail} (a moment ago)")
        return self._known

    def _fetched(self) -> Document:
        try:
            return self._keep(self._fetch())
        except (IdentityProviderDownError, ProviderAnswerError) as error:
            now, known = self._clock.now(), self._known
            if known is None or self._too_old():
                self._known = None
                if isinstance(error, IdentityProviderDownError):
                    self._failed, self._until = error, now + FIRST_PAUSE
                raise
            log.warning("%s: the one before goes on to be used: %s", self._what, error.detail)
            self._until = now + RETRY_PAUSE
            return known

    def _keep(self, document: Document) -> Document:
        self._known, self._failed = document, None
        self._read_at = self._clock.now()
        self._until = self._read_at + LIFE
        return document

    def _too_old(self) -> bool:
        return self._clock.now() - self._read_at > STALE_LIMIT
