"""`/metrics` in the text format of Prometheus.

What happened in the station comes from the database, so that it is the same whichever process is asked and
survives a restart; how fast requests were answered is this process's own.
"""

import ipaddress
import math
import shutil
from collections.abc import Iterator
from datetime import datetime
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client import Counter as Count
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camlucida.settings import settings
from camlucida.store import claims, counters, progress
from camlucida.store.counters import BUCKETS, Counter, Stage
from camlucida.store.tables import now
from camlucida.store.upkeep import sizes
from camlucida.version import __version__
from camlucida.web.access import must_have, who_asks
from camlucida.web.health import Health
from camlucida.web.protection import LOOPBACK, host_name, route
from camlucida.web.rights import Right

if TYPE_CHECKING:
    from camlucida.store.home import Home

PATH = "/metrics"
MAPS = "/api/explanations/{key}/values"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, math.inf)
BYTES_AGAIN = 300.0  # seconds: adding up the bytes of a million rows takes a second

MEANINGS = {
    Counter.ARRIVALS: ("outcome", "Instances that arrived, by what became of them"),
    Counter.EXPLANATIONS: ("state", "Explanations that ended, by how"),
    Counter.REFUSALS: ("reason", "Explanations that were refused or failed, by the class of the reason"),
    Counter.DELIVERIES: ("state", "Instances sent to other systems"),
    Counter.RESTARTS: ("process", "Starts of processes that had ended by themselves"),
}

router = APIRouter()


class Metrics:
    """All figures of one server process, in a registry of its own."""

    def __init__(self, home: "Home", health: Health) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "camlucida_request_seconds",
            "Seconds from a request to the start of its answer, by this process",
            ("route", "method", "status"),
            buckets=REQUEST_BUCKETS,
            registry=self.registry,
        )
        self.maps = Count(
            "camlucida_map_reads",
            "Maps that were asked for, by whether they were there: cache hits, by this process",
            ("outcome",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.station = StationCollector(home, health)
        self.registry.register(self.station)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answer; labels come from the application's own patterns, never from the address."""
        method = scope["method"] if scope["method"] in METHODS else counters.OTHER
        pattern = route(scope)
        self.seconds.labels(pattern, method, f"{status // 100}xx").observe(seconds)
        if pattern.endswith(MAPS.removeprefix("/api")):
            self.maps.labels(_outcome(status)).inc()


class Meter:
    """ASGI middleware: times every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.observe(scope, message["status"], perf_counter() - began)
            await send(message)

        await self._app(scope, receive, answer)


class StationCollector(Collector):
    """Figures of the whole station, read from its database when somebody asks."""

    def __init__(self, home: "Home", health: Health) -> None:
        self._home, self._health = home, health
        self._bytes: tuple[float, dict[str, int]] | None = None

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not ask the database when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every figure; of a database that does not answer only that."""
        yield InfoMetricFamily("camlucida_build", "Version of the server", {"version": __version__})
        checks = {check.name: float(check.ok) for check in self._health.checks()}
        yield _gauge("ready", "1: what the station needs is there, see /readyz", "check", checks)
        disk = shutil.disk_usage(self._home.folder)
        room = {"free": disk.free, "total": disk.total}
        yield _gauge("disk_bytes", "Room on the disk of the home folder", "kind", room)
        if checks["database"]:
            with self._home.database.read() as session:
                yield from self._of_database(session)

    def _of_database(self, session: Session) -> Iterator[Metric]:
        values = counters.values(session)
        for counter, (label, meaning) in MEANINGS.items():
            yield _counter(counter, meaning, label, values[counter])
        yield _stages(values)
        queues = progress.queues(session)
        depth = {queue.name: queue.number for queue in queues}
        age = {queue.name: _seconds_since(queue.since) for queue in queues}
        yield _gauge("queue", "What waits, by lane", "lane", depth)
        yield _gauge("queue_oldest_seconds", "How long the oldest that waits has waited", "lane", age)
        workers = {"alive": sum(claims.is_alive(worker) for worker in claims.workers(session))}
        yield _gauge("workers", "Processes that compute and were seen lately", "state", workers)
        troubles = progress.troubles(session)
        yield _gauge("trouble", "What has ended badly and stays so until somebody acts", "kind", troubles)
        yield _gauge("stored_bytes", "Bytes of kept files, by kind", "kind", self.sizes(session))

    def sizes(self, session: Session) -> dict[str, int]:
        """Bytes of kept files by kind, as they were `BYTES_AGAIN` ago at most."""
        moment = monotonic()
        if self._bytes is None or moment - self._bytes[0] > BYTES_AGAIN:
            self._bytes = moment, sizes.by_rows(session)
        return self._bytes[1]


@router.get(PATH, include_in_schema=False)
def metrics(request: Request) -> Response:
    """All figures; for this machine itself, and for who has the right to watch elsewhere."""
    if not _on_this_machine(request):
        must_have(who_asks(request), Right.WATCH)
    content = generate_latest(request.app.state.metrics.registry)
    return Response(content, media_type=CONTENT_TYPE_LATEST)


def _on_this_machine(request: Request) -> bool:
    """Whether a program of this machine asks; behind a proxy on this machine everybody seems to."""
    if settings().public_url or request.client is None or "x-forwarded-for" in request.headers:
        return False
    try:
        local = ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    return local and host_name(request.headers.get("host", "")) in LOOPBACK


def _outcome(status: int) -> str:
    return {200: "kept", 304: "kept", 409: "waiting", 404: "unknown"}.get(status, counters.OTHER)


def _seconds_since(moment: datetime | None) -> float:
    return 0.0 if moment is None else max(0.0, (now() - moment).total_seconds())


def _gauge(name: str, meaning: str, label: str, values: "dict[str, float] | dict[str, int]") -> Metric:
    family = GaugeMetricFamily(f"camlucida_{name}", meaning, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counter(name: str, meaning: str, label: str, values: dict[str, float]) -> Metric:
    family = CounterMetricFamily(f"camlucida_{name}", meaning, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _stages(values: dict[Counter, dict[str, float]]) -> Metric:
    family = HistogramMetricFamily("camlucida_stage_seconds", "Seconds of each stage", labels=["stage"])
    for stage in Stage:
        below, buckets = 0.0, []
        for bound in BUCKETS:
            below += values[Counter.BUCKET].get(f"{stage} {bound:g}", 0.0)
            buckets.append(("+Inf" if bound == math.inf else str(float(bound)), below))
        family.add_metric([stage], buckets, values[Counter.SECONDS].get(stage, 0.0))
    return family
