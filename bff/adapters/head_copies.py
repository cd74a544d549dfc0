"""Keeps signed heads of the audit trail out of the reach of whoever can write to its database."""

import os
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final

import requests

from bff.adapters.http_client import http_session
from bff.crypto.head_lines import spelled
from bff.errors import RecordsDownError
from bff.trail_ports import HeadCopies, SignedHead

PATIENCE_S: Final = 5


class FileCopies:
    """Appends each head to a file, one line of JSON each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name: Final = _named(str(path.absolute()))

    def keep(self, head: SignedHead) -> None:
        """Append it, and have it on the disk before this returns."""
        line = f"{spelled(head)}\n".encode()
        try:
            # One write to a file that is open for appending: two processes do not mix lines.
            place = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                if _ends_in_a_line(place):
                    line = b"\n" + line
                if os.write(place, line) < len(line):
                    raise RecordsDownError("BFF_AUDIT_HEADS: there was room for half a line")
                os.fsync(place)
            finally:
                os.close(place)
        except OSError as error:
            raise RecordsDownError(f"BFF_AUDIT_HEADS: {error.strerror}") from error


class UrlCopies:
    """Posts each head, as JSON, to an address that another hand keeps."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.name: Final = _named(url)

    def keep(self, head: SignedHead) -> None:
        """Post it; whatever is not 2xx counts as not kept."""
        try:
            with http_session() as http:
                answer = http.post(
                    self._url,
                    data=spelled(head),
                    headers={"Content-Type": "application/json"},
                    timeout=PATIENCE_S,
                )
        except requests.RequestException as error:
            raise RecordsDownError(f"BFF_AUDIT_HEADS: {type(error).__name__}") from error
        # A redirection is followed by nobody here, and has kept nothing.
        if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise RecordsDownError(f"BFF_AUDIT_HEADS answers {answer.status_code}")


def _ends_in_a_line(place: int) -> bool:
    """Say whether the file ends in the middle of a line, as a full disk leaves it."""
    size = os.fstat(place).st_size
    return size > 0 and os.pread(place, 1, size - 1) != b"\n"


def head_copies(where: str | None) -> HeadCopies | None:
    """Return who keeps copies at `where`: a file, or an https address."""
    path = copies_file(where)
    if path is not None:
        return FileCopies(path)
    return None if where is None else UrlCopies(where)


def copies_file(where: str | None) -> Path | None:
    """Return the file of the copies; None if they are at an address, or nowhere."""
    return None if where is None or "://" in where else Path(where)


def _named(place: str) -> str:
    # An address may hold a password.
    return sha256(place.encode()).hexdigest()[:16]
