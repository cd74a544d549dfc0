"""Who else on this machine may look into a file of ours, or change it."""

import stat
from pathlib import Path
from typing import Final

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_TO_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def may_be_changed(path: Path) -> bool:
    """Say whether others may change a file."""
    try:
        return bool(path.stat().st_mode & _TO_WRITE)
    except OSError:
        return False


def open_to_others(path: Path) -> str | None:
    """Return in words what others may do with a file; None if nothing, or if it is not there."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if not mode & _OTHERS:
        return None
    verb = "changed" if mode & _TO_WRITE else "read"
    return f"may be {verb} by other users of this machine (mode {stat.S_IMODE(mode):03o})"
