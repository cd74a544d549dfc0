"""Takes guests over from the platform, page by page; an interruption costs one page at most.

Genesys itself has no such list today: a gateway in front of it may.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from bff.errors import GenesysAnswerError
from bff.guests.platform_client import PlatformClient
from bff.guests.provisioning import checked_guests_path
from bff.ports import Clock, PlatformRequest
from bff.record_ports import ImportRow
from bff.records.guest_memory import MAX_EMAIL_CHARS, MAX_VALUE_CHARS, GuestFacts
from bff.records.guest_records import GuestRecords

MOST_PAGES: Final = 1_000_000
_ID: Final = re.compile(r"[!-~]{1,512}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedGuest:
    """One entity that can be believed. What is None was not there."""

    guest_id: str
    device_id: str | None
    profile: Mapping[str, str]


Progress = Callable[[ImportRow, int | None], None]


class GuestImport:
    """Imports from one path. Every page is kept before the next one is asked for."""

    def __init__(
        self,
        guests: GuestRecords,
        client: PlatformClient,
        *,
        path: str,
        page_size: int,
        clock: Clock,
    ) -> None:
        self._guests = guests
        self._client = client
        self._path = checked_guests_path(path)
        self._page_size = page_size
        # A page of another size is another page.
        self._name = f"{path} by {page_size}"
        self._clock = clock

    def begin(self, *, anew: bool = False) -> ImportRow:
        """Return where to go on: behind the last page that was kept, or at the first."""
        known = None if anew else self._guests.imports.find(self._name)
        if known is not None and known.next_page > 1:
            return known
        return ImportRow(name=self._name, updated_at=self._clock.now())

    def run(self, at: ImportRow, *, progress: Progress) -> ImportRow:
        """Import from there to the end; return the sums of all runs of this import.

        Raises an error of the Genesys family, RecordsDownError or StoreDownError; what was kept
        stays, and the next run goes on from there.
        """
        while at.next_page <= MOST_PAGES:
            entities, pages = self._page(at.next_page)
            for entity in entities:
                at = self._counted(at, self._take(entity))
            over = not entities or (pages is not None and at.next_page >= pages)
            # The end is kept as page 1: who starts again starts anew.
            at = replace(at, next_page=at.next_page + 1, updated_at=self._clock.now())
            self._guests.imports.keep(replace(at, next_page=1) if over else at)
            progress(at, pages)
            if over:
                return at
        raise GenesysAnswerError("import: the pages do not end")

    def _page(self, number: int) -> tuple[list[Any], int | None]:
        query = urlencode({"pageSize": self._page_size, "pageNumber": number})
        body = self._client.call(PlatformRequest(method="GET", path=f"{self._path}?{query}"))
        entities, pages = body.get("entities"), body.get("pageCount")
        if not isinstance(entities, list):
            raise GenesysAnswerError("import: the page has no list of entities")
        if isinstance(pages, bool) or not isinstance(pages, int | None):
            raise GenesysAnswerError("import: pageCount is no number")
        return entities, pages

    def _take(self, entity: Any) -> str:
        """Keep one guest; return how it counts."""
        guest = _believed(entity)
        if guest is None:
            return "failed"
        if not guest.profile and guest.device_id is None:
            return "skipped"
        known = self._guests.rows.find(guest.guest_id)
        facts = GuestFacts(
            guest_id=guest.guest_id,
            at=self._clock.now(),
            device_id=guest.device_id,
            profile=guest.profile,
            # What a guest has told us counts more: an import fills gaps, and does not make
            # somebody look as if they had been here today.
            imported=True,
        )
        if not self._guests.memory.write(facts):
            return "skipped"  # erased, and stays so
        return "new" if known is None else "known"

    @staticmethod
    def _counted(at: ImportRow, how: str) -> ImportRow:
        return replace(at, **{how: getattr(at, how) + 1})


def _believed(entity: Any) -> ImportedGuest | None:
    """Return what stands in an entity; None if it is malformed."""
    if not isinstance(entity, dict):
        return None
    guest_id, device_id = entity.get("id"), entity.get("deviceId")
    if not isinstance(guest_id, str) or not _ID.fullmatch(guest_id):
        return None
    if not _is_text(device_id, MAX_VALUE_CHARS):
        return None
    email, name = entity.get("email"), entity.get("firstName")
    if not _is_text(email, MAX_EMAIL_CHARS) or not _is_text(name, MAX_VALUE_CHARS):
        return None
    profile = {key: value for key, value in (("email", email), ("name", name)) if value}
    return ImportedGuest(guest_id=guest_id, device_id=device_id or None, profile=profile)


def _is_text(value: object, limit: int) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= limit and "\0" not in value)
