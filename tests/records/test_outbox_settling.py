"""What a command may rely on when it settles the outbox, and what the figures say afterwards."""

from datetime import timedelta

from outbox_rig import memory_world
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from bff.errors import RecordsDownError
from bff.records.outbox import LEASE
from bff.records.outbox_events import AUDIT, GUEST
from bff.web.outbox_metrics import outbox_metrics


def test_settling_waits_for_a_process_that_delivers_and_then_does_the_rest() -> None:
    world = memory_world()
    process = world.process()
    process.put("1")
    world.store.acquire_lease(LEASE, ttl=timedelta(milliseconds=200))
    assert process.writer.once() == 0
    process.writer.settle()
    assert world.database.bodies == ["1"]


def test_settling_does_not_wait_for_ever() -> None:
    world = memory_world()
    process = world.process()
    process.put("1")
    world.store.acquire_lease(LEASE, ttl=timedelta(hours=1))
    before = world.clock.now()
    process.writer.settle()
    assert world.clock.now() - before <= timedelta(seconds=3)
    assert len(process.outbox.waiting()) == 1


def test_while_nobody_knows_how_far_it_is_nothing_is_delivered() -> None:
    world = memory_world()
    world.marks.down = True
    process = world.process()
    process.put("1")
    process.writer.once()
    assert process.outbox.figures[GUEST].pending == 1
    assert world.database.bodies == [], "how far it is could not be asked: it waits"
    world.marks.down = False
    process.writer.once()
    assert world.database.bodies == ["1"]


def test_every_figure_has_its_lane_and_the_names_that_prometheus_expects() -> None:
    world = memory_world()
    process = world.process()
    process.put("1", lane=AUDIT)
    world.database.refuses = lambda _: RecordsDownError("away")
    process.writer.once()
    world.clock.advance(timedelta(seconds=90))

    class Figures(Collector):
        def collect(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
            return outbox_metrics(process.outbox)

    registry = CollectorRegistry()
    registry.register(Figures())
    text = generate_latest(registry).decode()
    for line in (
        'messenger_bff_outbox_pending_events{lane="audit"} 1.0',
        'messenger_bff_outbox_pending_events{lane="guest"} 0.0',
        'messenger_bff_outbox_oldest_age_seconds{lane="audit"} 90.0',
        'messenger_bff_outbox_dead_events{lane="audit"} 0.0',
        'messenger_bff_outbox_lost_events_total{lane="audit"} 0.0',
        'messenger_bff_outbox_missing_events_total{lane="guest"} 0.0',
    ):
        assert line in text
