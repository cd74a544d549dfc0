"""The types that a page in TypeScript gets are made from the script, and stop wrong uses."""

import subprocess
from pathlib import Path

from plugin_node import node

HERE = Path(__file__).parent
TSC = HERE / "node_modules" / "typescript" / "bin" / "tsc"


def _said(*arguments: str) -> tuple[int, str]:
    finished = subprocess.run(
        [node(), *arguments], cwd=HERE, capture_output=True, text=True, timeout=60, check=False
    )
    return finished.returncode, finished.stdout + finished.stderr


def test_the_types_are_those_of_the_script() -> None:
    assert _said("declare.mjs", "--check") == (0, "")


def test_a_good_use_compiles_and_three_bad_ones_do_not() -> None:
    assert _said(str(TSC), "--project", "tsconfig.uses.json") == (0, "")
