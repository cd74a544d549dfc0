"""What was heard already: so that nothing is told twice and nothing is said twice. Bounded."""

import hashlib
from typing import Final

from bff.guests.upstream_frames import Said

MAX_KEYS: Final = 1_024
MAX_MARKS: Final = 512
MAX_RIDDLES: Final = 64


class UpstreamMemory:
    """Remembers the messages that Genesys told of, by their keys and by their senders' marks."""

    __slots__ = ("_keys", "_marks", "_riddles", "latest")

    def __init__(self) -> None:
        self.latest = 0
        self._keys: dict[str, int] = {}
        self._marks: dict[str, None] = {}
        self._riddles: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._keys) + len(self._marks) + len(self._riddles)

    def knows(self, said: Said) -> bool:
        """Say whether this message was told of already, under any of its names."""
        if any(key in self._keys for key in said.keys):
            return True
        return said.is_inbound and said.mark is not None and said.mark in self._marks

    def has_heard(self, mark: str) -> bool:
        """Say whether Genesys is known to have heard what has this mark."""
        return mark in self._marks

    def order_of(self, said: Said) -> int | None:
        """Return the place of a message in the order in which we were told, if we were."""
        places = [self._keys[key] for key in said.keys if key in self._keys]
        return min(places, default=None)

    def note(self, said: Said) -> bool:
        """Remember a message; say whether it was known already. The oldest are forgotten."""
        places, latest = self._keys, self.latest + 1
        self.latest = latest
        known = False
        for key in said.keys:
            known = known or key in places
            places[key] = latest
        while len(places) > MAX_KEYS:
            del places[next(iter(places))]
        mark = said.mark if said.is_inbound else None
        if mark is None:
            return known
        known = known or mark in self._marks
        self.note_mark(mark)
        return known

    def note_mark(self, mark: str) -> None:
        """Remember that Genesys has heard what has this mark."""
        if mark in self._marks:
            return
        self._marks[mark] = None
        while len(self._marks) > MAX_MARKS:
            del self._marks[next(iter(self._marks))]

    def note_riddle(self, text: str | None) -> None:
        """Remember that a message of this text was given up while nobody knew if it was heard."""
        self._riddles[_digest(text)] = None
        while len(self._riddles) > MAX_RIDDLES:
            del self._riddles[next(iter(self._riddles))]

    def is_riddle(self, text: str | None) -> bool:
        """Say whether a message of this text in the history may be one that was given up."""
        return _digest(text) in self._riddles


def _digest(text: str | None) -> bytes:
    # A text may hold half a surrogate pair; it is only compared with itself.
    return hashlib.blake2b((text or "").encode(errors="surrogatepass"), digest_size=16).digest()
