"""What a newcomer runs first works: `messenger-bff demo --check`, on the production server."""

import subprocess
import sys

TAKES_AT_MOST_S = 240


def test_the_demo_walks_the_whole_path_and_says_so() -> None:
    walked = subprocess.run(
        [sys.executable, "-m", "bff.cli", "demo", "--check"],
        capture_output=True,
        text=True,
        timeout=TAKES_AT_MOST_S,
        check=False,
    )

    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert walked.stdout.splitlines() == [
        "ok    a guest opens the page and signs in",
        "ok    a message arrives at Genesys as the signed-in person",
        "ok    3 JWTs expire; nobody is asked again",
        "ok    after a reload the chat goes on",
        "ok    a second tab is signed in by itself",
        "ok    the shop's own chat carries a signed message as the same person",
        "ok    signing out ends it in both tabs, at the provider and at Genesys",
        "The demo works.",
    ]
    assert walked.stderr == ""
