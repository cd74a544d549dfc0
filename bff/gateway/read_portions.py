"""picows' protocol, reading no more at once than a portion, however much has come.

Its buffer doubles whenever a read has filled it, and never shrinks: what a slow moment lets pile up
in TCP would be taken in whole, megabytes of it, and their room kept as long as the connection.
"""

from typing import Final

from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stubs

PORTION_BYTES: Final = 64 * 1024


class PortionProtocol(WSProtocol):
    """One TCP connection. Its buffer grows until a message and a portion fit, and no further."""

    __slots__ = ()

    def get_buffer(self, size_hint: int) -> memoryview:
        """Return where the next bytes go."""
        room: memoryview = WSProtocol.get_buffer(self, size_hint)
        return room[:PORTION_BYTES] if len(room) > PORTION_BYTES else room
