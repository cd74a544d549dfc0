"""Reports of the trail: which events, in which order, and how they are written out."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from bff.errors import RequestRefusedError
from bff.records.audit_events import Action
from bff.records.purpose_keys import PurposeKeys
from bff.trail_ports import Place, TrailKeeper, TrailQuery, TrailRow, micros, moment

PAGE: Final = 500
BEFORE_1970: Final = "n"
_LARGEST: Final = 2**63
MOST_ID_CHARS: Final = 512
COLUMNS: Final = (
    *("seq", "at", "action", "outcome", "actor_kind", "actor", "guest", "source", "details"),
    "event_id",
)

_BOUND: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}")
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - as wide as spreadsheets read them
_WIDTHS: Final = (7, 27, 17, 7, 24, 32, 15)


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asked for, in their words."""

    since: str | None = None
    until: str | None = None
    action: str | None = None
    guest: str | None = None


def query_of(wanted: Wanted, keys: PurposeKeys) -> TrailQuery:
    """Return what is meant. Raises RequestRefusedError.

    A guest may be named by id, or by the pseudonym that a report shows.
    """
    since, until = bound(wanted.since), bound(wanted.until, end=True)
    if since is not None and until is not None and since > until:
        raise RequestRefusedError("the report would end before it begins")
    if wanted.action is not None and wanted.action not in set(Action):
        raise RequestRefusedError(f"no such action; there are {', '.join(Action)}")
    guests: tuple[str, ...] = ()
    if wanted.guest is not None:
        guests = (keys.pseudonym(checked_guest(wanted.guest)),)
        if _PSEUDONYM.fullmatch(wanted.guest):
            guests += (wanted.guest,)
    return TrailQuery(since=since, until=until, action=wanted.action, guests=guests)


def checked_guest(name: str) -> str:
    """Return what may be the id of a guest. Raises RequestRefusedError."""
    if not 0 < len(name) <= MOST_ID_CHARS or not name.isprintable():
        raise RequestRefusedError("no guest is called that")
    return name


def bound(text: str | None, *, end: bool = False) -> int | None:
    """Return the moment of a bound. Both bounds are included, with all that they name.

    A day is the whole day, a minute the whole minute, a second the whole second. Without an
    offset it is UTC.
    """
    if text is None:
        return None
    read = _BOUND.fullmatch(text.strip())
    try:
        if read is None:
            raise ValueError("unlike any")  # noqa: TRY301 - told in one place, below
        begins = datetime.fromisoformat(read[0].replace(" ", "T"))
    except ValueError as error:
        raise RequestRefusedError(
            f"{text[:40]!r} is no time such as 2026-11-20, 2026-11-20T09:30 or "
            "2026-11-20T09:30:00+01:00"
        ) from error
    _, clock, seconds, fraction, _ = read.groups()
    if fraction:
        span = timedelta(microseconds=1)
    elif seconds:
        span = timedelta(seconds=1)
    else:
        span = timedelta(minutes=1) if clock else timedelta(days=1)
    first = micros(begins if begins.tzinfo else begins.replace(tzinfo=UTC))
    return first + span // timedelta(microseconds=1) - 1 if end else first


def events(
    keeper: TrailKeeper, query: TrailQuery, *, after: Place | None = None
) -> Iterator[TrailRow]:
    """Yield what was asked for, oldest first, a page at a time."""
    place = after
    while page := keeper.page(query, after=place, limit=PAGE):
        yield from page
        place = place_of(page[-1])


def place_of(row: TrailRow) -> Place:
    """Return where a report goes on after this event."""
    return Place(at=row.at, seq=row.seq)


def cursor(place: Place) -> str:
    """Return a place as a word."""
    # Before 1970 is no time of ours; an event that somebody put there may say so all the same.
    return f"{place.at}.{place.seq}".replace("-", BEFORE_1970)


def place_at(text: str) -> Place:
    """Return the place of a cursor. Raises RequestRefusedError."""
    read = re.fullmatch(rf"({BEFORE_1970}?\d{{1,19}})\.(\d{{1,18}})", text, re.ASCII)
    at = 0 if read is None else int(read[1].replace(BEFORE_1970, "-"))
    if read is None or not -_LARGEST <= at < _LARGEST:
        raise RequestRefusedError("no such cursor")
    return Place(at=at, seq=int(read[2]))


def fields(row: TrailRow) -> dict[str, Any]:
    """Return what a report tells of an event."""
    told: dict[str, Any] = {name: _plain(getattr(row, name)) for name in COLUMNS}
    told["at"] = shown(row.at)
    told["details"] = details_of(row)
    return told


def _plain(value: object) -> object:
    """Return it as JSON can say it; SQLite keeps bytes in any column."""
    return value.hex() if isinstance(value, bytes) else value


def details_of(row: TrailRow) -> Any:
    """Return the details; what somebody has made unreadable is shown as it is."""
    try:
        told = json.loads(row.details)
        flat = not any(isinstance(one, dict | list) for one in told.values())
    except (AttributeError, RecursionError, TypeError, ValueError):
        return _plain(row.details)
    # We write nothing that is nested: whoever did could have made it deeper than can be shown.
    return told if flat else row.details


def shown(at: int) -> str:
    """Return a moment as reports write it: UTC, to the microsecond, always equally long."""
    try:
        return moment(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (OverflowError, TypeError):
        # Somebody has meddled. That is for `audit verify`; here the rest must still be read.
        return str(at)


def lines(rows: Iterable[TrailRow], how: Format) -> Iterator[str]:
    """Yield a report line by line, each with its end."""
    if how is Format.JSONL:
        yield from (json_line(row) for row in rows)
    elif how is Format.CSV:
        yield csv_line(COLUMNS)
        yield from (_csv_row(row) for row in rows)
    else:
        yield _table_line([name.upper().replace("_KIND", "") for name in _TABLE_COLUMNS])
        yield from (_table_row(row) for row in rows)


def json_line(row: TrailRow) -> str:
    """Return an event as a line of JSON."""
    return json.dumps(fields(row)) + "\n"


def csv_line(cells: Iterable[object]) -> str:
    """Return a line of CSV (RFC 4180) in which no cell is a formula to a spreadsheet."""
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return "'" + text if text.startswith(_RISKY) else text


def _csv_row(row: TrailRow) -> str:
    told = {**fields(row), "details": row.details}
    return csv_line(told[name] for name in COLUMNS)


_TABLE_COLUMNS: Final = ("seq", "at", "action", "outcome", "actor", "guest", "source", "details")


def _table_row(row: TrailRow) -> str:
    actor = f"{row.actor_kind} {row.actor}".strip()
    cells = (row.seq, shown(row.at), row.action, row.outcome, actor, row.guest, row.source)
    return _table_line(["-" if cell is None else str(cell) for cell in (*cells, row.details)])


def _table_line(cells: list[str]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
    line = "  ".join((*padded, *cells[len(_WIDTHS) :])).rstrip()
    # What stands in a database must not steer the reader's terminal.
    return "".join(letter if letter.isprintable() else "?" for letter in line) + "\n"
