"""Where settings are read from: an environment that is handed over, and a TOML file."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings, EnvSettingsSource, TomlConfigSettingsSource

from bff.errors import SettingsError

PREFIX: Final = "BFF_"
FILE_VARIABLE: Final = "BFF_SETTINGS_FILE"

_IN_QUERY: Final = re.compile(r"([?&][^=&#]*(?:passw(?:or)?d|pwd)[^=&#]*=)[^&#]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """A file that settings were read from, and whether secrets were in it."""

    path: Path
    secret: bool


class _GivenEnvironment(EnvSettingsSource):
    """The environment as an argument, so that a test need not touch the process's own."""

    def __init__(self, settings_cls: type[BaseSettings], env: Mapping[str, str]) -> None:
        self._given = {key.lower(): value for key, value in env.items()}
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def from_environment(cls: type[BaseSettings], env: Mapping[str, str]) -> dict[str, Any]:
    """Return what `env` sets. Raises SettingsError if a value cannot even be read."""
    try:
        return _GivenEnvironment(cls, {k: v for k, v in env.items() if v != ""})()
    except ValueError as error:
        raise SettingsError(f"the environment is not readable: {error}") from None


def from_file(cls: type[BaseSettings], path: Path) -> tuple[dict[str, Any], str | None]:
    """Return what the file sets, and what is wrong with the file."""
    if not path.is_file():
        return {}, f"{FILE_VARIABLE}: there is no file {path}"
    try:
        return TomlConfigSettingsSource(cls, path)(), None
    except ValueError as error:
        return {}, f"{path}: {error}"


def holds_secrets(values: Mapping[str, Any]) -> bool:
    """Say whether what a file sets is for nobody else's eyes."""
    for name, value in values.items():
        if isinstance(value, dict):
            if holds_secrets(value):
                return True
        elif isinstance(value, str) and value and (_is_secret(name) or has_password(value)):
            return True
    return False


def _is_secret(name: str) -> bool:
    return name.lower().endswith(("secret", "_salt", "_token", "master_key", "_key_previous"))


def has_password(value: str) -> bool:
    """Say whether a text is an URL with a password."""
    return without_passwords(value) != value


def without_passwords(value: str) -> str:
    """Return an URL as somebody may read it: no password before the host, or in the query."""
    try:
        parts = urlsplit(value)
        known = parts.password
    except ValueError:
        return value
    if not parts.scheme:
        return value
    if known:
        value = value.replace(f":{known}@", ":…@")
    return _IN_QUERY.sub(r"\1…", value)


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lay `over` on `base`, table by table."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = value


def unknown_variables(env: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a fault for each variable that looks like a setting: it would be a silent default."""
    names = [PREFIX + name.upper() for name in known]
    faults = []
    for variable in sorted(env):
        name = variable.upper().partition("__")[0]
        if name.startswith(PREFIX) and name not in names and name != FILE_VARIABLE:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else "remove it"
            faults.append(f"{variable} is no setting: {hint}")
    return faults
