"""Where the pages and scripts lie: inside the installed package, or beside it in a checkout."""

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parent


def _folder(name: str) -> Path:
    packaged = _PACKAGE / f"_{name}"
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def templates_folder() -> Path:
    """Return the folder of Jinja templates."""
    return _folder("templates")


def static_folder() -> Path:
    """Return the folder of scripts and styles that browsers fetch."""
    return _folder("static")
