"""Figures of the outbox, by lane: what waits, what was set aside, and what was lost."""

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from bff.records.outbox import Outbox

PREFIX: Final = "messenger_bff_outbox_"


def outbox_metrics(outbox: Outbox) -> Iterator[Metric]:
    """Yield each figure, as this process last saw it or has counted since it started."""
    figures = outbox.figures
    lanes = list(outbox.lanes)
    yield _gauge(
        "pending_events",
        "Events that wait for the database of the records.",
        {lane: figures[lane].pending if lane in figures else 0 for lane in lanes},
    )
    yield _gauge(
        "dead_events",
        "Events that could not be delivered and were set aside.",
        {lane: figures[lane].dead if lane in figures else 0 for lane in lanes},
    )
    yield _gauge(
        "oldest_age_seconds",
        "How long the first pending event has waited.",
        {lane: outbox.oldest_age(lane).total_seconds() for lane in lanes},
    )
    tally = outbox.tally
    for name, words, counted in (
        ("delivered_events", "Events that reached the database.", tally.delivered),
        ("dropped_events", "Events that an erasure has overtaken.", tally.dropped),
        ("set_aside_events", "Events that could not be delivered.", tally.set_aside),
        ("missing_events", "Events that the store has lost, or changed.", tally.missing),
        ("lost_events", "Events that could be kept nowhere.", tally.lost),
        ("sampled_events", "Refusals without an event of their own.", tally.sampled),
    ):
        family = CounterMetricFamily(f"{PREFIX}{name}", words, labels=["lane"])
        for lane in lanes:
            family.add_metric([lane], counted[lane])
        yield family


def _gauge(name: str, words: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}{name}", words, labels=["lane"])
    for lane, value in values.items():
        family.add_metric([lane], value)
    return family
