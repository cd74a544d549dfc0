"""Starts the processes of a benchmark, each on its own core, and reads what they cost."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

HERE: Final = Path(__file__).parent
SECONDS_TO_STOP: Final = 10
KIB: Final = 1024
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Who runs where: the server alone, everybody else on the other core."""

    server: int
    others: int

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """Choose two of the cores that we may use. SystemExit if there is but one."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) == 1:
            raise SystemExit("a benchmark needs two cores: one of them for the server alone")
        return cls(server=cores[0], others=cores[1])


class Bench:
    """The processes of one benchmark; all of them end with it."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(
        self,
        *command: str,
        core: int,
        environment: dict[str, str] | None = None,
        pipe: bool = False,
    ) -> "Started":
        """Start a process that tells on its first line where it listens, if it does."""
        surroundings = os.environ  # noqa: TID251 - handed on to those that are started
        process = subprocess.Popen(  # noqa: S603 - our own programs
            ["taskset", "-c", str(core), *command],  # noqa: S607 - wherever the system has it
            stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**surroundings, "PYTHONPATH": str(HERE.parent), **(environment or {})},
            text=True,
        )
        started = Started(process)
        self._stack.callback(started.stop)
        return started

    def python(self, script: str, *arguments: str, core: int, **rest: Any) -> "Started":
        """Start one of the programs here."""
        return self.start(sys.executable, str(HERE / script), *arguments, core=core, **rest)

    def redis(self, port: int, *, core: int) -> "Started":
        """Start an empty Redis that keeps nothing, and wait until it answers."""
        server = shutil.which("redis-server") or "/usr/bin/redis-server"
        flags = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no")
        started = self.start(server, *flags, core=core)
        started.until_said("Ready to accept connections")
        return started


@dataclass(slots=True)
class Started:
    """One process, and what it costs."""

    process: "subprocess.Popen[str]" = field(repr=False)

    def port(self) -> int:
        """Wait until it listens; return where."""
        line = self._line()
        if "listening on" not in line:
            raise SystemExit(f"did not start: {line!r}")
        return int(line.split()[-1])

    def until_said(self, words: str) -> None:
        """Wait until it has said this."""
        while words not in self._line():
            pass

    def tell(self, line: str) -> None:
        """Write a line."""
        if self.process.stdin is None:
            raise SystemExit("nobody listens")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give a command and return the answer."""
        self.tell(json.dumps(command))
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        if self.process.stdout is None:
            raise SystemExit("nothing is said")
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"ended with {self.process.wait(SECONDS_TO_STOP)}")
        return line

    def cpu_s(self) -> float:
        """Return the seconds of processor time that it and its children have taken."""
        return sum(_cpu_s(pid) for pid in self.pids())

    def resident_kib(self) -> float:
        """Return how much memory it and its children have."""
        return sum(_resident_kib(pid) for pid in self.pids())

    def pids(self) -> list[int]:
        """Return its own and its children's ids."""
        found = [self.process.pid]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
            found += [int(child) for child in children.split()]
        return found

    def stop(self) -> None:
        """End it and wait for that."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(SECONDS_TO_STOP)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def _cpu_s(pid: int) -> float:
    # Behind the name, which may have spaces, utime and stime are the 12th and 13th field.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident_kib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / KIB
