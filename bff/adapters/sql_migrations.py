"""Brings the tables of the guest records up to date, and says how far they are (Alembic)."""

import logging
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_STEPS: Final = Path(__file__).parent.parent / "migrations"

# It tells of each connection; whoever runs `serve` with INFO wants to hear of sign-ins.
logging.getLogger("alembic").setLevel(logging.WARNING)


def upgrade(connection: Connection, *, to: str = "head") -> list[str]:
    """Take every step that is missing; return what an operator should know of it.

    Whoever else does the same at the same time waits.
    """
    config = _config()
    config.attributes["connection"] = connection
    said: list[str] = []
    config.attributes["said"] = said
    command.upgrade(config, to)
    return said


@cache
def known_revisions() -> tuple[str, ...]:
    """Return the revisions that this version knows, newest first."""
    steps = ScriptDirectory.from_config(_config()).walk_revisions()
    return tuple(step.revision for step in steps)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_STEPS))
    return config
