"""The metrics of a process as the text that Prometheus reads."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from orders_service import __version__
from orders_service.metrics import REGISTRY

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Build(Collector):
    """Collects the version of the service."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Always 1: the version is a label."""
        family = GaugeMetricFamily("orders_build_info", "The version of the service.", labels=["version"])
        family.add_metric([__version__], 1)
        yield family


ALWAYS: tuple[Collector, ...] = (Build(), PlatformCollector(registry=None))
# What a process collects that has no others of its kind beside it: its numbers, CPU time and memory.
ALONE: tuple[Collector, ...] = (REGISTRY, ProcessCollector(registry=None))


def text(*collectors: Collector) -> bytes:
    """The metrics of *collectors*, and the versions of the service and of Python."""
    together = CollectorRegistry()
    for collector in (*ALWAYS, *collectors):
        together.register(collector)
    return generate_latest(together)


def of_this_process() -> bytes:
    """All metrics of a process that has no others of its kind beside it."""
    return text(*ALONE)
