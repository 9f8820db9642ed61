"""The metrics of every process, one file for each part that counts.

A process shows the metrics of the modules that it has loaded. A series whose labels are known begins at 0
when the process starts: Prometheus cannot see the first increment of a series that did not exist before.
"""

from prometheus_client import CollectorRegistry, disable_created_metrics

# The time when each series began would be a second series for each, which nobody reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
