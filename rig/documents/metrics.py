"""`docs/metrics.md`: every metric with its type, its labels, and the processes that have it."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from orders_service.api import request_metrics, table_metrics
from orders_service.api.metrics import KeyAge
from orders_service.contract.events import Reason
from orders_service.events.errors import REASONS
from orders_service.metrics import answers, committer, consumers, exposition, http, relays, steps
from orders_service.metrics.shared import label_names
from orders_service.orders.answers import OTHER
from orders_service.orders.order import Status
from orders_service.processes import CONSUMERS, DATABASES, PROCESSES, RELAYS, WORKERS, Process
from rig.documents.page import wrapped

ABOUT = """\
`make contract` writes this page from the code, and a test fails when a process shows a metric that is not
here.

Every process serves its metrics at `GET /metrics` on `METRICS_PORT` ([Settings](settings.md)), without a
token: keep this port inside the network. `GET /livez` on the same port says that the process answers. The
API serves its metrics on its own port, too, where a client needs the scope `orders:operate`.
`orders-service run` has the metrics of all processes.

The API's processes count together: any of them answers with the sums, and the sums survive a process that
is killed or replaced. They begin at 0 when the API is started. What is counted in the tables is the same
in every API. Its
CPU time, memory and start (`process_cpu_seconds_total`, `process_resident_memory_bytes` and
`process_start_time_seconds`) are those of all its processes together; it has no others of the part *Process*.

A series whose labels are known begins at 0 when its process starts. A counter's name ends in `_total`. A
histogram has `_bucket`, `_sum` and `_count`.
"""
RUN = "run"


def _code(values: Sequence[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


DATABASE, TOPIC = _code(DATABASES), "the name of a topic"
GROUP = "the consumer group"


@dataclass(frozen=True)
class Part:
    """Metrics that the same processes have. *labels* are the values of each label."""

    title: str
    source: ModuleType | Sequence[Any]
    processes: Sequence[Process]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def families(self) -> list[Any]:
        """The families, in the order of the code."""
        if not isinstance(self.source, ModuleType):
            return list(self.source)
        return [each for each in vars(self.source).values() if isinstance(each, MetricWrapperBase)]

    @property
    def commands(self) -> list[str]:
        """The commands that start the processes."""
        return [*(process.command for process in self.processes), RUN]


API = [process for process in PROCESSES if process.command == "api"]
STATUS_CONSUMER = [process for process in CONSUMERS if process.database == "orders"]
PARTS = (
    Part(
        "Requests",
        http,
        API,
        {
            "route": "the address as a template, such as `/order-service/{userId}/orders`;"
            f" `{request_metrics.NO_ROUTE}` if the address does not exist or has no such method",
            "method": f"{_code(request_metrics.METHODS)}, or `{request_metrics.OTHER_METHOD}`",
            "status": "the status code of the answer",
        },
    ),
    Part("Group commit", committer, API),
    Part(
        "Events and orders in the tables",
        table_metrics.families(),
        API,
        {"database": DATABASE, "topic": TOPIC},
    ),
    Part("Keys of the issuer", list(KeyAge(SimpleNamespace(age=0)).collect()), API),  # type: ignore[arg-type]
    Part("Relays", relays, RELAYS, {"lane": TOPIC, "outcome": _code(relays.OUTCOMES)}),
    Part(
        "Consumers",
        consumers,
        CONSUMERS,
        {
            **{
                "group": GROUP,
                "topic": TOPIC,
                "partition": "the number of a partition that the consumer has",
            },
            **{"outcome": _code(consumers.OUTCOMES), "database": DATABASE, "reason": _code(REASONS)},
        },
    ),
    Part(
        "Answers to orders",
        answers,
        STATUS_CONSUMER,
        {
            "status": _code([Status.CONFIRMED, Status.REJECTED]),
            "reason": f"of a rejection: {_code([*Reason, OTHER])}; empty for a confirmation",
        },
    ),
    Part("Steps", steps, WORKERS, {"worker": _code([process.command for process in WORKERS])}),
    Part(
        "Versions",
        [family for collector in exposition.ALWAYS for family in collector.collect()],
        PROCESSES,
        dict.fromkeys(
            ("version", "implementation", "major", "minor", "patchlevel"), "a version, or a part of it"
        ),
    ),
    Part("Process", list(exposition.ALONE[1].collect()), PROCESSES),
)


def page() -> str:
    """`docs/metrics.md`."""
    head = "\n".join(["# Metrics\n", *(f"{wrapped(each)}\n" for each in ABOUT.split("\n\n"))])
    return head + "".join(map(_section, PARTS))


def shown_by(command: str) -> set[str]:
    """The names of the metrics that a process may show, as their `# TYPE` lines have them."""
    return {_name(family)[0] for part in PARTS if command in part.commands for family in part.families}


def _section(part: Part) -> str:
    rows = "\n".join(map(_row, part.families))
    used = dict.fromkeys(label for family in part.families for label in label_names(family))
    labels = "".join(f"- `{label}`: {part.labels[label]}\n" for label in used)
    return (
        f"\n## {part.title}\n\nIn {_code(part.commands)}.\n\n"
        f"| metric | type | labels | what it is |\n|---|---|---|---|\n{rows}\n" + (labels and f"\n{labels}")
    )


def _row(family: Any) -> str:
    name, kind, about = _name(family)
    return f"| `{name}` | {kind} | {_code(label_names(family))} | {about} |"


def _name(family: Any) -> tuple[str, str, str]:
    (described,) = family.describe() if isinstance(family, MetricWrapperBase) else [family]
    suffix = "_total" if described.type == "counter" else ""
    return described.name + suffix, described.type, described.documentation


def modules() -> Iterator[ModuleType]:
    """The modules that the page describes."""
    yield from (part.source for part in PARTS if inspect.ismodule(part.source))
