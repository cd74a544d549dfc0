"""The few words of RFC 6455 that the gateway says itself, as picows takes them."""

import logging
from typing import Any, Final, cast

from picows import WSCloseCode, WSMsgType

# Plain numbers: picows turns an enumeration's member into one for each frame.
CONTINUATION: Final = cast("WSMsgType", 0x0)
TEXT: Final = cast("WSMsgType", 0x1)
BINARY: Final = cast("WSMsgType", 0x2)
CLOSE: Final = cast("WSMsgType", 0x8)
PING: Final = cast("WSMsgType", 0x9)
PONG: Final = cast("WSMsgType", 0xA)

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_BROKEN: Final = 1002
TOO_BIG: Final = 1009
NO_CODE: Final = 0
_NEVER_SENT: Final = frozenset({1004, 1005, 1006, 1015})
_LOWEST, _HIGHEST = 1000, 4999

READ_BUFFER_BYTES: Final = 256
"""picows makes at least 2 KiB of it, instead of 16; it grows with the first large frame."""

HEADER_ROOM: Final = 14

_log: Final = logging.getLogger("bff.sockets")
_log.setLevel(logging.CRITICAL)

quiet: Final["logging.LoggerAdapter[Any]"] = logging.LoggerAdapter(_log, None)
"""For picows: it writes a line or two for each connection, and whatever a stranger sends. An
adapter, because of a plain logger it makes a new one for each connection."""


def close_code(code: int) -> WSCloseCode:
    """Return a code as picows takes it; in the place of one that nobody may send, 1000."""
    fits = _LOWEST <= code <= _HIGHEST and code not in _NEVER_SENT
    return cast("WSCloseCode", code if fits else NORMAL)
