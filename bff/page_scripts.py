"""The scripts that pages load, as they travel: bare, compressed, addressed by their content."""

import base64
import gzip
import hashlib
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import brotli
import rjsmin

NAMES: Final = (
    "messenger-auth",
    "messenger-person",
    "messenger-sign-in",
    "messenger-guest",
    "messenger-inspector",
)
FINGERPRINT_LETTERS: Final = 16
BEST_BROTLI: Final = 11
BEST_GZIP: Final = 9


class Encoding(StrEnum):
    """How a script travels, the smallest first."""

    BROTLI = "br"
    GZIP = "gzip"
    PLAIN = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageScript:
    """One script: its bytes in each encoding, and what tells these bytes from all others."""

    name: str
    bodies: dict[Encoding, bytes] = field(repr=False)
    fingerprint: str
    integrity: str

    @property
    def path(self) -> str:
        """Return the address that never means anything else."""
        return f"/static/{self.name}.{self.fingerprint}.js"

    @property
    def alias(self) -> str:
        """Return the address that means whatever is installed."""
        return f"/static/{self.name}.js"


class PageScripts:
    """What lies in a folder, read and compressed once, and again if a file was changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[str, tuple[tuple[int, int], PageScript]] = {}

    def find(self, name: str, fingerprint: str | None = None) -> PageScript | None:
        """Return a script of ours; with a fingerprint, only if it is these very bytes."""
        if name not in NAMES:
            return None
        script = self.current(name)
        return script if fingerprint in (None, script.fingerprint) else None

    def current(self, name: str) -> PageScript:
        """Return a script as it lies there now."""
        path = self._folder / f"{name}.js"
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        # The first who asks compresses; whoever asks meanwhile waits for it.
        with self._lock:
            known = self._read.get(name)
            if known is None or known[0] != stamp:
                known = self._read[name] = (stamp, packed(name, path.read_bytes()))
        return known[1]


def packed(name: str, source: bytes) -> PageScript:
    """Return a script as it travels: what it does, without what explains it.

    Raises:
        UnicodeDecodeError: the file is no text in UTF-8.

    """
    lean = rjsmin.jsmin(source.decode(), keep_bang_comments=True).encode()
    return PageScript(
        name=name,
        bodies={
            Encoding.BROTLI: brotli.compress(lean, quality=BEST_BROTLI),
            # Without a time: the same script has the same bytes in every process.
            Encoding.GZIP: gzip.compress(lean, BEST_GZIP, mtime=0),
            Encoding.PLAIN: lean,
        },
        fingerprint=hashlib.sha256(lean).hexdigest()[:FINGERPRINT_LETTERS],
        integrity="sha384-" + base64.b64encode(hashlib.sha384(lean).digest()).decode(),
    )
