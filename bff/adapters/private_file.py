"""Writes a file that only its owner reads, whole or not at all."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from bff.errors import SettingsError

PREFIX: Final = ".messenger-bff-"


def refuse_unwritable(path: Path) -> None:
    """Raise SettingsError if `write_private` would: to be asked before what cannot be undone."""
    try:
        _refuse_what_is_no_file(path)
        place, name = tempfile.mkstemp(prefix=PREFIX, dir=path.parent)
        os.close(place)
        Path(name).unlink()
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


def write_private(path: Path, text: str) -> None:
    """Write `text` as UTF-8 into `path` with mode 0600.

    The text goes into a new file in the same folder, which then takes the place of what was there:
    neither its mode, nor its other hard links, nor the target of a symbolic link matters. Raises
    SettingsError if it cannot be written, or if `path` is no file (a folder, a device, a pipe).
    """
    try:
        _refuse_what_is_no_file(path)
        # mkstemp makes it with mode 0600 and refuses to follow a link that somebody planted.
        place, name = tempfile.mkstemp(prefix=PREFIX, dir=path.parent)
        try:
            os.fchmod(place, 0o600)  # whatever the umask takes away
            with os.fdopen(place, "w", -1, "utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except (OSError, ValueError) as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> SettingsError:
    return SettingsError(f"{path}: {getattr(error, 'strerror', None) or error}")


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise ValueError("Is no regular file")
