"""Runs the benchmarks of the records: each on a file, and on a PostgreSQL that is gone after.

Started by `make bench`, which puts the tests' rigs on the path: the server is theirs.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from postgres_server import PostgresServer

SCRIPTS: Final = ("audit_rate.py", "profile_rate.py")


def main() -> None:
    """Run one after the other, so that none disturbs another."""
    here = Path(__file__).parent
    with PostgresServer() as server:
        for script in SCRIPTS:
            url = server.new_database(script.partition(".")[0])
            command = [sys.executable, str(here / script), "--postgresql", url]
            subprocess.run(command, check=True)  # noqa: S603 - our own scripts


if __name__ == "__main__":
    main()
