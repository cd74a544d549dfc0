"""The plugin's own suite, in Node: every rule on a clock turned by hand, and the seeded defects."""

import subprocess
from pathlib import Path

import pytest
from plugin_node import node

HERE = Path(__file__).parent


def _run(*arguments: str, limit: int) -> None:
    finished = subprocess.run(
        [node(), *arguments],
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
