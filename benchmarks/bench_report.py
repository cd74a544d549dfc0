"""Puts what a benchmark has measured into words and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

BEGIN: Final = "<!-- bench -->"
END: Final = "<!-- /bench -->"
TIMES_PEER: Final = 2.5
TIMES_CACHED: Final = 1.3
MEMORY_OF_PEER: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What 1000 frames cost each process in milliseconds of processor time, and how fast it was."""

    server: float
    upstream: float
    redis: float
    load: float
    busy: float
    frames_a_second: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the figures."""
        return [field.name for field in fields(cls)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What an idle connection takes."""

    contender: str
    shape: str
    count: int
    kib: float


class Report:
    """Prints as it goes, and keeps all for the page."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._costs: dict[tuple[str, int], Mapping[str, Cost]] = {}
        self._weights: Sequence[Weight] = ()

    def compare(self, shape: str, connections: int, costs: Mapping[str, Cost]) -> None:
        """Print what everybody costs in one shape."""
        self._costs[shape, connections] = costs
        first = next(iter(costs.values()))
        self._say(f"**{shape}, {connections} connections** (CPU in ms for each 1000 frames)", "")
        self._say("| server | CPU | x Node | frames/s | p50 ms | p99 ms | core busy | generator |")
        self._say("|---|---|---|---|---|---|---|---|")
        for name, cost in costs.items():
            self._say(
                f"| {name} | {cost.server:.1f} | {first.server / cost.server:.2f} "
                f"| {cost.frames_a_second:,.0f} | {cost.p50_ms:.1f} | {cost.p99_ms:.1f} "
                f"| {cost.busy:.0%} | {cost.load:.1f} + {cost.upstream:.1f} + {cost.redis:.1f} |"
            )
        self._say("")

    def weigh(self, weights: Sequence[Weight]) -> None:
        """Print what an idle connection takes."""
        self._weights = weights
        self._say("**memory** (KiB of resident memory for each idle connection)", "")
        self._say("| server | shape | connections | KiB |", "|---|---|---|---|")
        for weight in weights:
            self._say(
                f"| {weight.contender} | {weight.shape} | {weight.count:,} | {weight.kib:.1f} |"
            )
        self._say("")

    def judge(self, *, ours: str, peer: str, cached: str) -> None:
        """Print what was to be reached and what was."""
        self._say("| goal | wanted | measured | |", "|---|---|---|---|")
        for (shape, connections), costs in self._costs.items():
            for other, wanted in ((peer, TIMES_PEER), (cached, TIMES_CACHED)):
                if ours in costs and other in costs:
                    times = costs[other].server / costs[ours].server
                    self._verdict(f"{shape}, {connections}: {other}", wanted, times)
        kib = {(weight.contender, weight.shape): weight.kib for weight in self._weights}
        for shape in {weight.shape: None for weight in self._weights}:
            if (ours, shape) in kib and (peer, shape) in kib:
                times = kib[ours, shape] / kib[peer, shape]
                self._verdict(f"memory, {shape}: {peer}", MEMORY_OF_PEER, times, most=True)
        self._say("")

    def put_into(self, page: Path) -> None:
        """Replace what is between the marks of a page."""
        before, mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not mark or not end:
            raise SystemExit(f"{page} has no {BEGIN} … {END}")
        text = "\n".join(self._lines).rstrip()
        page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")

    def _verdict(self, goal: str, wanted: float, times: float, *, most: bool = False) -> None:
        reached = times <= wanted if most else times >= wanted
        sign = "≤" if most else "≥"
        word = "reached" if reached else "not reached"
        self._say(f"| {goal} | {sign} {wanted} x | {times:.2f} x | {word} |")

    def _say(self, *lines: str) -> None:
        for line in lines:
            print(line, flush=True)
            self._lines.append(line)
