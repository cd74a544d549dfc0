"""When another server wants to be asked again."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST: Final = timedelta(hours=1)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> timedelta | None:
    """Read `Retry-After`, in seconds or as a date (RFC 9110 section 10.2.3).

    A date is taken relative to the other server's own `Date`: its clock may differ from ours.
    `now` is for answers without one.
    """
    raw = headers.get("Retry-After", "").strip()
    if raw.isascii() and raw.isdecimal():
        # A number of a thousand digits is no number of seconds.
        return timedelta(seconds=min(int(raw[:9]), LONGEST.total_seconds()))
    wanted = _date(raw)
    sent = _date(headers.get("Date", "")) or now
    if wanted is None or sent is None:
        return None
    return min(max(timedelta(0), wanted - sent), LONGEST)


def _date(raw: str) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        read = parsedate_to_datetime(raw)
        return read if read.tzinfo else read.replace(tzinfo=UTC)
    return None
