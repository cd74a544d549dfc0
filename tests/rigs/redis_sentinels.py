"""A primary, a replica and three sentinels on loopback, all from Debian's redis-server."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import redis
from redis_server import LOOPBACK, SECONDS_TO_ANSWER, SECONDS_TO_STOP, RedisServer, free_port

NAME: Final = "sessions"
DOWN_AFTER_MS: Final = 1000
SENTINELS: Final = 3


class RedisSentinels:
    """What a site with Sentinel has. `fail` takes the primary away for good."""

    def __init__(self, *, password: str = "") -> None:
        self._password = password
        self._processes: list[subprocess.Popen[bytes]] = []
        self._home = Path(tempfile.mkdtemp(prefix="sentinels-"))
        self._ports: list[int] = []
        self._servers: dict[int, RedisServer] = {}

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        hosts = ",".join(f"{LOOPBACK}:{port}" for port in self._ports)
        return f"redis+sentinel://{login}{hosts}/{NAME}"

    @property
    def primary(self) -> RedisServer:
        """Return who the sentinels say is the primary."""
        address: Any = self._ask(self._ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return self._servers[int(address[1])]

    @property
    def direct_url(self) -> str:
        return self.primary.url

    def fail(self) -> None:
        """Kill the primary; its place stays empty."""
        self.primary.kill()

    def swap(self) -> None:
        """Have the sentinels exchange primary and replica, both alive."""
        before = self.primary
        self._ask(self._ports[0], "SENTINEL", "FAILOVER", NAME)
        self._until(lambda: self.primary is not before)

    def start(self) -> Self:
        login = ("--masterauth", self._password) if self._password else ()
        first = RedisServer(*login, password=self._password).start()
        behind = ("--replicaof", LOOPBACK, str(first.port))
        second = RedisServer(*login, *behind, password=self._password).start()
        self._servers = {server.port: server for server in (first, second)}
        for _ in range(SENTINELS):
            self._watch(first.port)
        self._until(lambda: all(self._knows_all(port) for port in self._ports))
        return self

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(SECONDS_TO_STOP)
        for server in self._servers.values():
            server.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _watch(self, primary: int) -> None:
        port = free_port()
        lines = [
            f"bind {LOOPBACK}",
            f"port {port}",
            f"dir {self._home}",
            f"sentinel monitor {NAME} {LOOPBACK} {primary} 2",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {NAME} 5000",
            *([f"sentinel auth-pass {NAME} {self._password}"] if self._password else []),
        ]
        conf = self._home / f"{port}.conf"
        conf.write_text("\n".join(lines))
        self._processes.append(
            subprocess.Popen(
                [shutil.which("redis-server") or "/usr/bin/redis-server", conf, "--sentinel"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        self._until(lambda: self._answers(port))
        self._ports.append(port)

    def _answers(self, port: int) -> bool:
        try:
            return bool(self._ask(port, "PING"))
        except redis.RedisError:
            return False

    def _knows_all(self, port: int) -> bool:
        (state,) = self._ask(port, "SENTINEL", "MASTERS")
        replicas = self._ask(port, "SENTINEL", "REPLICAS", NAME)
        seen = (state["num-other-sentinels"], state["num-slaves"]) == (str(SENTINELS - 1), "1")
        return seen and all(replica["master-link-status"] == "ok" for replica in replicas)

    def _ask(self, port: int, *command: str) -> Any:
        with redis.Redis(LOOPBACK, port, decode_responses=True) as raw:
            return raw.execute_command(*command)

    def _until(self, happens: Any) -> None:
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while not happens():
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("the sentinels do not get there")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
