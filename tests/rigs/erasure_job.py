"""A process that erases a guest and is killed on the way, as a machine dies."""

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from erasure_rig import ASKER, erasure_rig

from bff.adapters.system import SystemClock

STEPS: Final = (
    ("erasures", "begin"),
    ("scrubs", "owe"),
    ("keys", "destroy"),
    ("sessions", "end_all"),
    ("erasures", "finish"),
    ("erasures", "scrub"),
    ("scrubs", "pay"),
)
"""What an erasure calls, in its order: it is killed before each, and after each."""


class Deadly:
    """Somebody's hands, of which one deed kills the process before or after it is done."""

    def __init__(self, real: Any, deed: str, when: str) -> None:
        self._real = real
        self._deed = deed
        self._when = when

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name != self._deed:
            return real

        def deadly(*arguments: Any, **named: Any) -> Any:
            if self._when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            real(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        return deadly


def main(folder: str, url: str, who: str, deed: str, when: str) -> None:
    with erasure_rig(Path(folder), url, clock=SystemClock()) as rig:
        erasure = rig.guests.erasure
        setattr(erasure, f"_{who}", Deadly(getattr(erasure, f"_{who}"), deed, when))
        erasure.ask("guest-1", ASKER)


if __name__ == "__main__":
    main(*sys.argv[1:])
