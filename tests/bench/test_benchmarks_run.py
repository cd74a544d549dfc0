"""Each server of the benchmark carries some frames in both shapes. No figure is asserted."""

from dataclasses import replace

import pytest
from bench_processes import Cores
from contenders import CONTENDERS, NODE, Shape
from frames_per_cpu import Effort, compared, weighed

CORES = Cores.of_this_machine()
A_LITTLE = Effort(turns=1, seconds=0.05, warm_up=1, first_frames=30, over_tls=CONTENDERS)


@pytest.mark.parametrize("shape", [Shape.ECHO, Shape.PROXY_TLS])
def test_every_server_answers_every_frame(shape: Shape) -> None:
    everybody = compared(shape, 3, A_LITTLE, CORES)

    assert [running.contender for running in everybody] == list(CONTENDERS)
    for running in everybody:
        (cost,) = running.turns
        assert cost.frames_a_second > 0
        assert cost.p99_ms >= cost.p50_ms > 0


def test_an_idle_connection_takes_memory() -> None:
    weight = weighed(Shape.ECHO, NODE, replace(A_LITTLE, idle=50), CORES)

    assert weight.count == 50
    assert weight.kib > 0
