"""The part of `messenger-bff check` that looks at the guest records."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bff.errors import RecordsDownError
from bff.findings import Finding, fault, fine, note
from bff.record_wiring import open_database, records_url
from bff.settings import Settings

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
        yield fine("records: their file is made when the service first starts")
        return
    database = open_database(settings)
    if database is None:
        return
    where = urlsplit(url)
    place = where.hostname or where.path.removeprefix("/")
    try:
        current = database.is_current()
    except RecordsDownError as error:
        yield fault(
            f"records: the database at {place} does not answer ({error.detail})",
            "look at BFF_RECORDS_URL, and whether that place can be reached and written to",
        )
    else:
        if current:
            yield fine(f"records: the database at {place} answers, and its tables are ours")
        else:
            yield fault(
                f"records: the tables at {place} are not those of this version",
                "run `messenger-bff db upgrade`",
            )
    finally:
        database.close()
