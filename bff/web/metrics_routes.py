"""The door of whoever watches the service: a few figures in Prometheus' text format."""

import hmac
from collections.abc import Iterator, Mapping
from typing import Final

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from bff.background.jobs import JobHealth
from bff.errors import MetricsOffError, WatcherUnknownError
from bff.web.doorway import Services, services
from bff.web.guest_socket import EXTENSION, GuestLines
from bff.web.outbox_metrics import outbox_metrics
from bff.web.probing import limit_probes

PROBES: Final = 10
ALL_PROBES: Final = 100
"""Wrong tokens in a minute, of one household and of all."""

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def figures() -> ResponseReturnValue:
    """Tell the figures of this process to who has the token: Prometheus' text format."""
    here = services()
    token = here.site.metrics_token
    if token is None:
        raise MetricsOffError("BFF_METRICS_TOKEN is not set")
    given = request.authorization
    shown = given.token if given is not None and given.type == "bearer" else None
    if shown is None or not hmac.compare_digest(shown.encode(), token.encode()):
        limit_probes("watcher", of_household=PROBES, of_all=ALL_PROBES)
        raise WatcherUnknownError("no token, or a wrong one")
    registry = CollectorRegistry()
    registry.register(_Figures(here, current_app.extensions.get(EXTENSION)))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    """Reads them when they are asked for; nothing is counted on the way of a message."""

    def __init__(self, here: Services, lines: object) -> None:
        self._here = here
        self._lines = lines if isinstance(lines, GuestLines) else None

    def collect(self) -> Iterator[Metric]:
        """Yield each figure that there is here."""
        yield from _of_jobs(self._here.background.health())
        yield _of_unreadable(self._here.unreadable)
        if self._lines is not None:
            yield _gauge("guest_connections", "Guest sockets of this process.", self._lines.count)
            limit = self._lines.house.rules.connections
            yield _gauge("guest_connections_limit", "How many there may be.", limit)
        records = self._here.records
        if records is not None:
            waiting = records.outbox.length
            yield _gauge("outbox_letters", "What waits for the database of the records.", waiting)
            refused = records.signer.refuses is not None
            yield _gauge("audit_signing_refused", "The audit log is not what was signed.", refused)
            yield from outbox_metrics(records.outbox)
            for name, value in records.database.figures().items():
                yield _gauge(f"records_pool_{name}", "Connections to the records.", value)


def _of_jobs(jobs: tuple[JobHealth, ...]) -> Iterator[Metric]:
    up = _gauges("up", "Whether a background job does its work.")
    restarts = CounterMetricFamily(
        "messenger_bff_background_job_restarts",
        "How often a background job has died and was started again.",
        labels=["job"],
    )
    success = _gauges("last_success_timestamp_seconds", "When a background job last succeeded.")
    for job in jobs:
        up.add_metric([job.name], float(job.well))
        restarts.add_metric([job.name], job.restarts)
        if job.last_success is not None:
            success.add_metric([job.name], job.last_success.timestamp())
    yield from (up, restarts, success)


def _of_unreadable(seen: Mapping[str, int]) -> Metric:
    words = "How often a record in the store could not be read; its bytes are kept."
    family = CounterMetricFamily("messenger_bff_unreadable_records", words, labels=["kind"])
    for kind, count in sorted(dict(seen).items()):
        family.add_metric([kind], count)
    return family


def _gauges(name: str, words: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"messenger_bff_background_job_{name}", words, labels=["job"])


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"messenger_bff_{name}", words, value=value)
