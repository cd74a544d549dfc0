"""`messenger-bff gateway` as processes of their own, beside a stage; they can be killed."""

import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from command_rig import COMMAND, LIMIT_S, _end, bare
from guest_page import GuestPage, Jar


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayProcess:
    """One that listens."""

    said: str
    url: str
    origin: str
    process: "subprocess.Popen[bytes]"
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def page(self, jar: Jar | None = None) -> GuestPage:
        return GuestPage(self.url, jar=jar, origin=self.origin)

    def stop(self, sign: int = signal.SIGTERM) -> None:
        self.process.send_signal(sign)

    def ended(self) -> int:
        """Wait until it has gone; return its exit code."""
        return self.process.wait(LIMIT_S)


@contextmanager
def gateway_process(
    env: Mapping[str, str], folder: Path, *arguments: str, name: str = "gateway"
) -> Iterator[GatewayProcess]:
    """Run one until the block ends. It is ready when it has said where it listens."""
    log_file = folder / f"{name}.log"
    with (
        log_file.open("wb") as stderr,
        subprocess.Popen(
            [*COMMAND, "gateway", *arguments],
            env=bare(env),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline().decode()
            found = re.search(r"ws://\S+?/ws/guest", said)
            assert found, said + log_file.read_text("utf-8")
            yield GatewayProcess(
                said=said,
                url=found[0],
                origin=env["BFF_ALLOWED_ORIGINS"],
                process=process,
                log_file=log_file,
            )
        finally:
            _end(process)
