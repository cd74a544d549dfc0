"""A machine that has nothing but Python: what pip installs is all that the demo needs."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
INSTALL_LIMIT_S = 300
START_LIMIT_S = 60
STOP_LIMIT_S = 30


def test_the_demo_starts_and_stops_from_a_bare_install(tmp_path: Path) -> None:
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    subprocess.run(
        [home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", ROOT],
        check=True,
        timeout=INSTALL_LIMIT_S,
    )

    with subprocess.Popen(
        [home / "bin" / "messenger-bff", "demo", "--fast"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        # Whoever prints nothing is stopped, so that reading comes to an end.
        too_late = threading.Timer(START_LIMIT_S, demo.kill)
        too_late.start()
        said = ""
        for line in demo.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        too_late.cancel()
        demo.send_signal(signal.SIGINT)
        rest, complaints = demo.communicate(timeout=STOP_LIMIT_S)

    assert "Open   http://www.brand.localhost:" in said
    assert "The demo is over." in rest
    assert complaints == ""
    assert demo.returncode == 0
