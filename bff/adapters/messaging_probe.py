"""Whether a page's origin may open web messaging: the upgrade is asked for, and nothing more."""

from datetime import timedelta
from typing import Final

from bff.adapters.framed_socket import (
    SWITCHING_PROTOCOLS,
    UpgradeFailedError,
    UpgradeRefusedError,
    dialled,
)
from bff.errors import GenesysDownError
from bff.ports import Clock

OPENED: Final = SWITCHING_PROTOCOLS
NORMAL_CLOSURE: Final = 1000

_LONGEST_FRAME: Final = 65_536


def upgrade_status(url: str, *, origin: str, limit: timedelta, clock: Clock) -> int:
    """Return the HTTP status of the upgrade, `OPENED` if it was granted.

    No frame is sent: no session begins at Genesys. Raises GenesysDownError if nobody answers.
    """
    try:
        line = dialled(url, origin=origin, max_bytes=_LONGEST_FRAME, limit=limit, clock=clock)
    except UpgradeRefusedError as refused:
        return refused.status
    except UpgradeFailedError as error:
        raise GenesysDownError(str(error) or "no answer to the upgrade") from error
    line.close(NORMAL_CLOSURE)
    line.cut()
    return OPENED
