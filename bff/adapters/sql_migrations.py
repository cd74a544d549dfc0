"""Brings the tables of the guest records up to date, and says how far they are (Alembic)."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_STEPS: Final = Path(__file__).parent.parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Take every step that is missing. Whoever else does the same at the same time waits."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def is_current(connection: Connection) -> bool:
    """Say whether the tables are those that this version knows."""
    return MigrationContext.configure(connection).get_current_revision() == _newest()


def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_STEPS))
    return config
