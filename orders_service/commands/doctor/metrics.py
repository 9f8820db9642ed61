"""The check of the process that answers on METRICS_PORT: what it counted since it was started."""

import http.client
from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from orders_service.commands.doctor.finding import Check, Finding, fine, warning
from orders_service.settings import Settings

SECONDS = 6.0  # The API counts in its databases, for 4 s at most.
BYTES = 4 * 1024 * 1024  # The most that is read of an answer. Ours has some 30 kB.
FAULTS_PERCENT = 1.0  # With more answers of 5xx than this, a person should look.
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # Where a process listens that listens everywhere.

PROBES = ("/livez", "/readyz", "/actuator/health", "/metrics")  # As in the alerts.

Sums = Mapping[str, float]


def checks(settings: Settings) -> Iterator[Check]:
    """The check, if this machine's processes have a METRICS_PORT."""
    if port := settings.metrics_port:
        host = ANY_ADDRESS.get(settings.metrics_host, settings.metrics_host)
        yield Check("metrics", lambda: _look(host, port))


def _look(host: str, port: int) -> Finding:
    try:
        sums, workers = _read(_fetch(host, port))
    except ConnectionRefusedError:
        return fine(f"nothing listens on {host}:{port}; the processes may run on other machines")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return warning(
            f"no metrics from {host}:{port}: {str(error) or type(error).__name__}",
            "check that METRICS_PORT is a port of this service, and that the process is not stopped",
        )
    named = [*(["api"] if "orders_http_requests_total" in sums else []), *sorted(workers)]
    seen = f"{', '.join(named)} on {host}:{port}: {'; '.join(_numbers(sums, workers))}"
    if _faults(sums) > FAULTS_PERCENT:
        return warning(seen, "look for the failed requests in the log of the API")
    return fine(seen)


def _fetch(host: str, port: int) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        body = response.read(BYTES)
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise ValueError(f"status {response.status}")
    return body.decode(errors="replace")


def _read(text: str) -> tuple[Sums, set[str]]:
    """The sum of the series with each name, and the workers. Raises `ValueError` for another program's."""
    if "orders_build_info" not in text:
        raise ValueError("another program listens there")
    sums: dict[str, float] = defaultdict(float)
    workers = set()
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        if sample.labels.get("route") in PROBES:
            continue
        sums[sample.name] += sample.value
        if sample.name == "orders_http_requests_total" and sample.labels["status"].startswith("5"):
            sums["faults"] += sample.value
        if sample.name == "orders_step_failures_total":
            workers.add(sample.labels["worker"])
    return sums, workers


def _numbers(sums: Sums, workers: set[str]) -> Iterator[str]:
    if (requests := sums.get("orders_http_requests_total")) is not None:
        yield f"{requests:.0f} requests since the start, {_faults(sums):.1f} % of them answered with 5xx"
    if (age := sums.get("orders_pending_age_seconds")) is not None:
        yield f"the oldest PENDING order is {age:.0f} s old" if age else "no order is PENDING"
    if workers:
        yield f"{sums.get('orders_step_failures_total', 0):.0f} steps failed since the start"
    if (lag := sums.get("orders_consumer_lag")) is not None:
        yield f"{lag:.0f} records unread"


def _faults(sums: Sums) -> float:
    """The share of the requests that were answered with 5xx, in percent."""
    return 100 * sums.get("faults", 0) / max(1, sums.get("orders_http_requests_total", 0))
