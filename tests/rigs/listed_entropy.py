"""Randomness that a test writes down beforehand."""

from frame_page import unpadded


class ListedEntropy:
    """Keeps `ports.Entropy`: hands out what is on the list, in order, and only in its length."""

    def __init__(self, *listed: bytes) -> None:
        self._listed = list(listed)

    def bytes(self, count: int) -> bytes:
        given = self._listed.pop(0)
        assert len(given) == count
        return given

    def token(self, count: int = 32) -> str:
        return unpadded(self.bytes(count))
