"""The security model: who attacks what, what they can do then, and what is noticed.

Each threat test states its row with the `threat` decorator, and its body proves it. The page of the
docs is made from these rows: `python tests/rigs/security_model.py --write`.
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent.parent
FOLDERS: Final = (ROOT / "tests", ROOT / "e2e")
PAGE: Final = ROOT / "docs" / "security-model.md"
BEGIN: Final = "<!-- threats -->"
END: Final = "<!-- /threats -->"


class Attacker(StrEnum):
    """Who attacks, and what is in their hands."""

    STRANGER = "a stranger"
    OTHER_USER = "another signed-in user"
    NEXT_USER = "the next user of a shared computer"
    PROVIDER = "a malicious identity provider"
    PAGE_SCRIPT = "script in the brand's page (XSS)"
    SERVICE_ROLE = "the service's database role"
    DATABASE_OWNER = "the database owner"
    STORE_OWNER = "the store's owner"
    BOTH_OWNERS = "the owner of database and store"


class Asset(StrEnum):
    """What is attacked."""

    SESSION = "sign-in session"
    TOKENS = "tokens and codes"
    CONVERSATION = "conversation"
    RECORD = "guest record"
    AUDIT_LOG = "audit log"
    ERASURE = "erasure"
    SERVICE = "availability"


def threat(
    attacker: Attacker, asset: Asset, *, can: str, noticed: str = "nothing to notice"
) -> pytest.MarkDecorator:
    """State what a test proves: what this attacker `can` do to this asset, and what is `noticed`.

    Both go on without a full stop: `can` after "they can …", with what it comes to. They are read
    from the source, so they are literals. Of several tests that prove one row, one carries it.
    """
    return pytest.mark.threat(attacker=attacker, asset=asset, can=can, noticed=noticed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the page."""

    attacker: Attacker
    asset: Asset
    can: str
    noticed: str
    test: str


def rows(folders: Sequence[Path] = FOLDERS) -> list[Row]:
    """Return the row of each test that states one, in the order of attackers and assets."""
    files = [file for folder in folders for file in sorted(folder.rglob("test_*.py"))]
    found = [row for file in files for row in _rows_of(file)]
    attackers, assets = list(Attacker), list(Asset)
    return sorted(
        found,
        key=lambda row: (attackers.index(row.attacker), assets.index(row.asset), row.can.lower()),
    )


def _rows_of(file: Path) -> Iterator[Row]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and _name(decorator.func) == "threat":
                attacker, asset = map(_name, decorator.args)
                said = {word.arg: ast.literal_eval(word.value) for word in decorator.keywords}
                yield Row(
                    attacker=Attacker[attacker],
                    asset=Asset[asset],
                    can=said["can"],
                    noticed=said.get("noticed", "nothing to notice"),
                    test=f"{file.relative_to(ROOT)}::{node.name}",
                )


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def table(found: list[Row]) -> str:
    """Return the rows as Markdown, a section for each attacker."""
    lines: list[str] = []
    for attacker in Attacker:
        own = [row for row in found if row.attacker is attacker]
        if own:
            lines += ["", f"### {attacker.value[0].upper()}{attacker.value[1:]}", ""]
            lines += ["| asset | they can … | what is noticed | test |", "|---|---|---|---|"]
            lines += [
                f"| {row.asset.value} | {_began(row.can)} | {row.noticed} | `{_short(row.test)}` |"
                for row in own
            ]
    return "\n".join([*lines, ""])


def _began(sentence: str) -> str:
    """Return a sentence that goes on after `they can`."""
    return sentence[:1].lower() + sentence[1:]


def _short(test: str) -> str:
    return test.removeprefix("tests/")


def page_with(text: str, found: list[Row]) -> str:
    """Return the page with its table made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(found)}{END}{after}"


def main() -> int:
    """Compare the page with the tests, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/security-model.md")
    text = PAGE.read_text("utf-8")
    made = page_with(text, rows())
    if parser.parse_args().write:
        PAGE.write_text(made, "utf-8")
        return 0
    if made != text:
        sys.stderr.write("docs/security-model.md is not what the tests say: run with --write\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
