"""Frames for each second of processor time: the gateway beside the Node peer, in one run.

    make bench              everything, about eight minutes
    make bench BENCH=--quick    a look, about two

Each server has a core for itself; the generator, the upstream and Redis share the other one. All
servers of a comparison run at the same time and are loaded in turns, so that a slow moment of the
machine is everybody's; the medians of the turns count. docs/performance.md has the last table.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench_processes import Bench, Cores, Started
from bench_report import Cost, Report, Weight
from contenders import (
    BARE,
    CACHED,
    CONTENDERS,
    GATEWAY,
    LOOPBACK,
    NODE,
    ORIGIN,
    Contender,
    Scene,
    Shape,
    throw_away_certificate,
)

from bff.adapters.system import SystemEntropy
from bff.simulator.stage import free_port

FEWEST_FRAMES: Final = 10
TO_BEGIN_WITH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long and how much."""

    turns: int = 5
    seconds: float = 0.8
    warm_up: int = 2
    connections: tuple[int, ...] = (50, 500)
    shapes: tuple[Shape, ...] = tuple(Shape)
    idle: int = 5_000
    first_frames: int = 4_000
    contenders: tuple[Contender, ...] = CONTENDERS
    # TLS to the upstream costs everybody much the same: these show it.
    over_tls: tuple[Contender, ...] = (NODE, CACHED, GATEWAY)

    def of(self, shape: Shape) -> tuple[Contender, ...]:
        """Return who takes part in a shape."""
        if shape is not Shape.PROXY_TLS:
            return self.contenders
        return tuple(one for one in self.contenders if one in self.over_tls)


QUICK: Final = Effort(
    turns=3,
    seconds=0.7,
    warm_up=1,
    connections=(50,),
    shapes=(Shape.ECHO, Shape.PROXY),
    idle=1_000,
    contenders=(NODE, CACHED, GATEWAY, BARE),
)


@dataclass(slots=True)
class Running:
    """A server, its load, and what was measured of it."""

    contender: Contender
    server: Started
    load: Started
    turns: list[Cost] = field(default_factory=list)


@contextmanager
def surroundings(shape: Shape, cores: Cores) -> Iterator[tuple[Bench, Scene, Sequence[Started]]]:
    """Start Redis and the upstream of a shape; yield also the two of them."""
    with Bench() as bench, tempfile.TemporaryDirectory() as folder:
        certificate = throw_away_certificate(Path(folder))
        redis_port = free_port()
        redis = bench.redis(redis_port, core=cores.others)
        encrypted = ["--certificate", str(certificate)] if shape is Shape.PROXY_TLS else []
        upstream = bench.python("echo_upstream.py", *encrypted, core=cores.others)
        entropy = SystemEntropy()
        scene = Scene(
            shape=shape,
            redis_url=f"redis://{LOOPBACK}:{redis_port}/0",
            cores=cores,
            secret=entropy.token(),
            master_key=entropy.token(),
            certificate=certificate,
            upstream_port=upstream.port(),
        )
        yield bench, scene, (upstream, redis)


def started(bench: Bench, scene: Scene, contender: Contender) -> tuple[Running, dict[str, Any]]:
    """Start a server and its load; return also what the load is to open."""
    server = contender.start(bench, scene)
    load = bench.python("load.py", core=scene.cores.others, pipe=True)
    url = f"ws://{LOOPBACK}:{server.port()}{contender.path}"
    load.tell(scene.secret)
    proxied = scene.shape is not Shape.ECHO
    pages = {"url": url, "wire": contender.wire, "proxied": proxied, "origin": ORIGIN}
    return Running(contender, server, load), pages


def compared(shape: Shape, connections: int, effort: Effort, cores: Cores) -> list[Running]:
    """Return what each contender costs at so many connections."""
    with surroundings(shape, cores) as (bench, scene, others):
        everybody = []
        for contender in effort.of(shape):
            running, pages = started(bench, scene, contender)
            running.load.ask(do="open", count=connections, **pages)
            everybody.append(running)
        frames = {running.contender.name: effort.first_frames for running in everybody}
        for number in range(effort.warm_up + effort.turns):
            for running in everybody:
                name = running.contender.name
                cost = turn(running, others, max(FEWEST_FRAMES, frames[name] // connections))
                frames[name] = int(effort.seconds * cost.frames_a_second)
                if number >= effort.warm_up:
                    running.turns.append(cost)
        for running in everybody:
            running.load.ask(do="close")
        return everybody


def turn(running: Running, others: Sequence[Started], frames: int) -> Cost:
    """Let each page of one server send so many frames; return what it cost."""
    running.load.ask(do="sign", frames=frames)
    processes = (running.server, *others)
    before = [process.cpu_s() for process in processes]
    window = running.load.ask(do="send")
    spent = [process.cpu_s() - was for process, was in zip(processes, before, strict=True)]
    server, upstream, redis = (cpu_s / window["frames"] * 1e6 for cpu_s in spent)
    return Cost(
        server=server,
        upstream=upstream,
        redis=redis,
        load=window["cpu_s"] / window["frames"] * 1e6,
        busy=spent[0] / window["seconds"],
        frames_a_second=window["frames"] / window["seconds"],
        p50_ms=window["p50_ms"],
        p99_ms=window["p99_ms"],
    )


def weighed(shape: Shape, contender: Contender, effort: Effort, cores: Cores) -> Weight:
    """Return the memory of an idle connection."""
    count = min(effort.idle, contender.most_connections)
    with surroundings(shape, cores) as (bench, scene, _):
        running, pages = started(bench, scene, contender)
        # The first few bring in what is made once.
        running.load.ask(do="open", count=TO_BEGIN_WITH, **pages)
        before = running.server.resident_kib()
        running.load.ask(do="open", count=count, **pages)
        took = running.server.resident_kib() - before
        running.load.ask(do="close")
        return Weight(contender=contender.name, shape=shape, count=count, kib=took / count)


def middle(turns: Sequence[Cost]) -> Cost:
    """Return the medians, figure by figure."""
    return Cost(
        **{name: statistics.median(getattr(cost, name) for cost in turns) for name in Cost.names()}
    )


def measured(effort: Effort, report: Report) -> None:
    """Measure everything, and print each table as soon as it is there."""
    cores = Cores.of_this_machine()
    for shape in effort.shapes:
        for connections in effort.connections:
            everybody = compared(shape, connections, effort, cores)
            costs = {running.contender.name: middle(running.turns) for running in everybody}
            report.compare(shape, connections, costs)
    weights = [
        weighed(shape, contender, effort, cores)
        for shape in (Shape.ECHO, Shape.PROXY)
        for contender in effort.contenders
        if contender.wire != "shared"
    ]
    report.weigh(weights)
    report.judge(ours=GATEWAY.name, peer=NODE.name, cached=CACHED.name)


def main() -> None:
    """Measure, print, and write the page if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, fewer scenes")
    parser.add_argument("--write", type=Path, help="put the tables between the marks of this page")
    parser.add_argument("--only", nargs="*", help="names of contenders")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else Effort()
    if arguments.only:
        chosen = tuple(one for one in CONTENDERS if one.name in arguments.only)
        effort = Effort(**{**_fields(effort), "contenders": chosen})
    report = Report()
    measured(effort, report)
    if arguments.write:
        report.put_into(arguments.write)


def _fields(effort: Effort) -> dict[str, Any]:
    return {name: getattr(effort, name) for name in Effort.__slots__}


if __name__ == "__main__":
    main()
