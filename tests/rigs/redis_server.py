"""Debian's redis-server on loopback, to be stopped, paused and killed at will."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
FIRST_PORT: Final = 20_000
LAST_PORT: Final = 32_767
SECONDS_TO_ANSWER: Final = 20.0
SECONDS_TO_STOP: Final = 10.0


def free_port() -> int:
    """Return a free loopback port below the range that clients are given at random."""
    width = LAST_PORT - FIRST_PORT
    for step in range(width):
        # The process id spreads test runs that go on at the same time.
        port = FIRST_PORT + (os.getpid() * 37 + time.monotonic_ns() // 1000 + step) % width
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port on loopback")


class RedisServer:
    """One empty server without persistence. A restart keeps the port and forgets the data."""

    def __init__(self, *arguments: str, password: str = "", port: int | None = None) -> None:
        self._arguments: tuple[str, ...] = (
            (*arguments, "--requirepass", password) if password else arguments
        )
        self._password = password
        self._chosen_port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._home: Path | None = None
        self.port = 0

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}{LOOPBACK}:{self.port}/0"

    def start(self) -> Self:
        """Start and wait until it answers; another port if somebody was quicker on ours."""
        for _ in range(5):
            self.port = self._chosen_port or self.port or free_port()
            self._launch()
            if self._answers():
                return self
            self.stop()
            self.port = 0
        raise RuntimeError("redis-server does not answer")

    def stop(self) -> None:
        """End it at once: there is nothing to save. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(SECONDS_TO_STOP)
            self._process = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    kill = stop

    def pause(self) -> None:
        """Make a black hole of it: connections are accepted by the kernel, nobody answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("not running")
        return self._process

    def _launch(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="redis-"))
        self._process = subprocess.Popen(
            [
                shutil.which("redis-server") or "/usr/bin/redis-server",
                *("--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self._home)),
                *("--save", "", "--appendonly", "no", *self._arguments),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _answers(self) -> bool:
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while time.monotonic() < deadline and self._running().poll() is None:
            if self._ping() and self._running().poll() is None:
                return True
            try:
                self._running().wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        return False

    def _ping(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                if self._password:
                    connection.sendall(f"AUTH {self._password}\r\n".encode())
                    connection.recv(64)
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
