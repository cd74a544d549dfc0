"""The README's tables are what the code says: settings, endpoints, error codes, commands."""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bff_rig import running_bff
from passthrough_rig import PASSTHROUGH
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bff import errors
from bff.errors import BffError
from bff.identity_settings import ProviderSettings
from bff.setting_sources import PREFIX
from bff.settings import Settings
from bff.web.problems import STATUS

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def table_of(name: str) -> list[str]:
    """Return the rows between the marks `<!-- name -->` and `<!-- /name -->`."""
    inside = README.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    return [line for line in inside.strip().splitlines()[2:] if line]


def said(default: Any) -> str:
    """Spell a default as a reader would write it."""
    if default is PydanticUndefined:
        return "**required**"
    if isinstance(default, timedelta):
        return f"`{int(default.total_seconds())}`"
    if isinstance(default, tuple):
        return f"`{' '.join(default)}`" if default else "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return "none" if default is None or not str(default) else f"`{default}`"


def setting_rows(prefix: str, fields: dict[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        default = said(field.default) if field.default_factory is None else "see below"
        yield f"| `{prefix}{name.upper()}` | {default} | {field.description} |"


def family(root: type[BffError]) -> Iterator[type[BffError]]:
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from family(child)


def error_rows() -> Iterator[str]:
    known: set[type[BffError]] = {BffError, *family(BffError)}
    for error in sorted(known, key=lambda one: one.code):
        status = STATUS.get(error, 500 if error is BffError else None)
        cause = (error.__doc__ or "").strip().splitlines()[0]
        yield f"| `{error.code}` | {status or 'no start'} | {error.message} | {cause} |"


def endpoint_rows(rules: Iterable[Any], views: dict[str, Any]) -> Iterator[str]:
    for rule in sorted(rules, key=lambda one: one.rule):
        if rule.endpoint == "static":
            continue
        methods = " ".join(sorted(set(rule.methods) - {"HEAD", "OPTIONS"}))
        summary = (views[rule.endpoint].__doc__ or "").strip().splitlines()[0]
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        yield f"| {methods} | `{path}` | {summary} |"


def all_endpoint_rows(folder: Path) -> list[str]:
    """Return the rows of both ways to get codes; each has doors that the other has not."""
    rules: dict[str, Any] = {}
    views: dict[str, Any] = {}
    for changes in ({}, PASSTHROUGH):
        with running_bff(folder, changes) as bff:
            rules |= {f"{rule.rule} {rule.endpoint}": rule for rule in bff.app.url_map.iter_rules()}
            views |= bff.app.view_functions
    return list(endpoint_rows(rules.values(), views))


def test_every_setting_is_in_the_table() -> None:
    assert table_of("settings") == list(setting_rows(PREFIX, Settings.model_fields))


def test_every_setting_of_a_provider_is_in_the_table() -> None:
    rows = setting_rows(f"{PREFIX}PROVIDERS__NAME__", ProviderSettings.model_fields)

    assert table_of("provider settings") == list(rows)


def test_every_error_code_is_in_the_table() -> None:
    assert table_of("errors") == list(error_rows())


def test_every_endpoint_is_in_the_table(tmp_path: Path) -> None:
    assert table_of("endpoints") == all_endpoint_rows(tmp_path)


@pytest.mark.parametrize(
    "command", ["make demo", "make test", "messenger-bff serve", "messenger-bff check"]
)
def test_the_commands_are_named(command: str) -> None:
    assert command in README


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)|src=\"(?!https?:)([^\"{]+)\"", README)

    for link in (one or other for one, other in links):
        assert (ROOT / link.partition("#")[0]).exists(), link
