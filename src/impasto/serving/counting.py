"""Figures of the service for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from impasto.jobs.queue import Queue


class Figures:
    """What is counted while serving, and how the queue stands when it is asked for."""

    def __init__(self, queue: Queue, workers: Callable[[], int]) -> None:
        self._queue, self._workers = queue, workers
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "impasto_requests", "Requests answered.", ["method", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "impasto_request_seconds", "Seconds until an answer began.", registry=self._registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
        )  # fmt: skip
        self._registry.register(self)

    def count(self, method: str, status: int, seconds: float) -> None:
        """A request has been answered."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        self._requests.labels(known, str(status)).inc()
        self._seconds.observe(seconds)

    def collect(self) -> Iterable[Metric]:
        """How the queue stands."""
        jobs = GaugeMetricFamily("impasto_jobs", "Jobs by state.", labels=["state"])
        for state, count in self._queue.counts().items():
            jobs.add_metric([state], count)
        yield jobs
        yield GaugeMetricFamily("impasto_workers", "Processes that paint.", self._workers())

    def told(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
