"""The part of `messenger-bff check` that looks at the guest records."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bff.errors import RecordsDownError
from bff.findings import Finding, fault, fine, note, warning
from bff.record_wiring import open_database, records_url
from bff.settings import Settings
from bff.trail_ports import Weight

_SQLITE: Final = "sqlite:///"


def examine_records(settings: Settings) -> Iterator[Finding]:
    """Yield findings about the database: is there one, does it answer, are its tables ours."""
    url = records_url(settings)
    if url is None:
        yield note(
            "records: none are kept, of guests or for the audit trail",
            "with Redis they need a database: BFF_RECORDS_URL=postgresql://…",
        )
        return
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
        folder = Path(url.removeprefix(_SQLITE)).parent
        if settings.records_url is None and not folder.is_dir():
            yield note(
                f"records: their file will lie beside the store's, in {folder}",
                "the store's own finding says what to do",
            )
            return
        yield _before_the_file(folder)
        return
    database = open_database(settings)
    if database is None:
        return
    where = urlsplit(url)
    place = where.hostname or where.path.removeprefix("/")
    try:
        found = database.examine()
    except RecordsDownError as error:
        yield fault(
            f"records: the database at {place} does not answer ({error.detail})",
            "look at BFF_RECORDS_URL, and whether that place can be reached and written to",
        )
    else:
        if all(one.weight is Weight.WARNING for one in found):
            yield fine(f"records: the database at {place} answers, and its tables are ours")
        for one in found:
            tell = warning if one.weight is Weight.WARNING else fault
            yield tell(f"records: at {place}: {one.what}", one.fix)
    finally:
        database.close()


def _before_the_file(folder: Path) -> Finding:
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return fault(
            f"records: their file cannot be made: {folder} is no folder that we can write to",
            "make it, or name another place in BFF_RECORDS_URL",
        )
    return fine("records: their file is made when the service first starts")
