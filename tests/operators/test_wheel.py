"""The wheel is enough: pages, scripts and stand-ins come along and are found."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FIND = """
from bff.resources import static_folder, templates_folder
assert (static_folder() / "messenger-auth.js").is_file()
assert (static_folder() / "messenger-auth.d.ts").is_file()
assert (static_folder() / "simulator" / "genesys-bus.js").is_file()
assert (templates_folder() / "problem.html").is_file()
assert (templates_folder() / "simulator" / "brand.html").is_file()
print(static_folder())
"""


def test_an_installed_wheel_finds_its_pages_and_scripts(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built = tmp_path / "dist"
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", built, ROOT],
        check=True,
    )
    wheel = next(built.glob("messenger_bff-*.whl"))
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
        names = archive.namelist()

    found = subprocess.run(
        [sys.executable, "-c", FIND],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert found.stdout.strip() == str(installed / "bff" / "_static")
    assert "bff/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "e2e/"))]
