"""Where settings are read from: an environment that is handed over, and a TOML file."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic_settings import BaseSettings, EnvSettingsSource, TomlConfigSettingsSource

from bff.errors import SettingsError

PREFIX: Final = "BFF_"
FILE_VARIABLE: Final = "BFF_SETTINGS_FILE"


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
