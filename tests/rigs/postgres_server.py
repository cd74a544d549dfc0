"""A PostgreSQL of one's own on loopback: fast, forgetful, and to be stopped and paused at will."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from redis_server import LOOPBACK, free_port

SECONDS_TO_ANSWER: Final = 30.0
SECONDS_TO_STOP: Final = 10.0
USER: Final = "postgres"


def _programs() -> Path:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    # Debian keeps the programs of each version apart, and off the PATH.
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert versions, "PostgreSQL is not installed: run .ci/install-test-parts"
    return versions[-1].parent


class PostgresServer:
    """One empty cluster. It does not run as root, so root lends it to the user `postgres`."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return self.database("postgres")

    def database(self, name: str) -> str:
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/{name}"

    def new_database(self, name: str) -> str:
        """Make a database; return its URL."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.database(name)

    def start(self) -> Self:
        if not (self._home / "data").exists():
            if os.getuid() == 0:
                shutil.chown(self._home, USER, USER)
            options = ["-A", "trust", "-U", USER, "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"]
            self._as_user("initdb", "-D", str(self._home / "data"), *options)
        self._launch()
        return self

    def stop(self) -> None:
        """Kill it, as a machine dies. Idempotent."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(SECONDS_TO_STOP)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _launch(self) -> None:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "60",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [str(_programs() / "postgres"), "-D", str(self._home / "data"), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_identity(),  # type: ignore[call-overload]  # all of it are names of Popen
        )
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                try:
                    self._process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
            else:
                return
        raise RuntimeError("PostgreSQL does not answer")

    def _as_user(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(_programs() / program), *arguments],
            check=True,
            capture_output=True,
            **_identity(),  # type: ignore[call-overload]  # all of it are names of Popen
        )


def _identity() -> dict[str, str | int]:
    """Return whom it runs as: anybody but root."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam(USER)
    return {"user": user.pw_uid, "group": user.pw_gid, "cwd": "/"}
