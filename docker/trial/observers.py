"""The profile `observability`: every process has numbers in Prometheus, and one order is one trace."""

import http.client
import json
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from rig.waiting import wait
from trial.shell import TrialError, say, step
from trial.stack import OBSERVERS, Stack

WORKERS = ("orders-relay", "stock-consumer", "catalog-relay", "status-consumer")
TARGETS = Counter(("api", "api", *WORKERS))  # The trial runs two APIs.
SECONDS = 60  # A scrape each 15 s, and a rate needs two.
SPANS = {
    "POST /order-service/{userId}/orders",
    "group commit",
    *(f"{verb} example-{topic}-topic" for verb in ("send", "process") for topic in ("catalog", "stock")),
}


def check(one: Stack, token: str) -> None:
    """Raise `TrialError` unless the numbers, the alerts, a trace and the dashboards are there."""
    with step("waiting until Prometheus scrapes every process"):
        _await(lambda: _up(one), TARGETS, "the targets that are up")
    say(f"  Prometheus scrapes {len(TARGETS)} kinds of processes, {TARGETS.total()} containers: up=1")
    with step("looking at the rules"):
        groups = _get(one, "prometheus", "/api/v1/rules")["data"]["groups"]
        health = Counter(rule["health"] for group in groups for rule in group["rules"])
        _await(lambda: len(_alertmanagers(one)), 1, "Alertmanagers that Prometheus knows")
    say(f"  {health.total()} rules, {health['ok']} of them evaluated; Alertmanager takes their alerts")
    with step("following the trace of an order"):
        trace = secrets.token_hex(16)
        _place(one, token, trace)
        _await(lambda: _spans(one, trace) & SPANS, SPANS, f"the spans of the trace {trace}")
    say(f"  an order is one trace: {', '.join(sorted(SPANS))}")
    with step("looking for the series of the orders"):
        _await(lambda: _query(one, "sum(orders_answered_total) > bool 0"), [1.0], "answered orders")
        _await(lambda: _query(one, "sum(rate(orders_placed_total[5m])) > bool 0"), [1.0], "a rate of orders")
    with step("looking at the dashboards"):
        titles = [
            _get(one, "grafana", f"/api/dashboards/uid/{uid}") for uid in ("orders-road", "orders-http")
        ]
    say(f"  the dashboards: {', '.join(found['dashboard']['title'] for found in titles)}")


def _up(one: Stack) -> Counter[str]:
    found = _get(one, "prometheus", "/api/v1/query?query=up")["data"]["result"]
    jobs = [each["metric"]["job"] for each in found if each["value"][1] == "1"]
    return Counter(job for job in jobs if job not in OBSERVERS)


def _alertmanagers(one: Stack) -> list[Any]:
    found: list[Any] = _get(one, "prometheus", "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    return found


def _query(one: Stack, expression: str) -> list[float]:
    found = _get(one, "prometheus", f"/api/v1/query?query={quote(expression)}")["data"]["result"]
    return [float(each["value"][1]) for each in found]


def _spans(one: Stack, trace: str) -> set[str]:
    try:
        data = _get(one, "jaeger", f"/api/traces/{trace}")["data"]
    except TrialError:  # No process has sent a span yet.
        return set()
    return {span["operationName"] for found in data for span in found["spans"]}


def _place(one: Stack, token: str, trace: str) -> None:
    body = json.dumps({"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500})
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01",
    }
    status, said = _request(one.port, "POST", "/order-service/trial/orders", body, headers)
    if status != 201:
        raise TrialError(f"the order is answered with {status}: {said}")


def _get(one: Stack, service: str, path: str) -> Any:
    status, said = _request(one.ports[service], "GET", path)
    if status != 200:
        raise TrialError(f"{service} answers {path} with {status}: {said[:300]}")
    return json.loads(said)


def _request(
    port: int, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        raise TrialError(f"127.0.0.1:{port} does not answer: {error}") from error
    finally:
        connection.close()


def _await(found: Callable[[], Any], wanted: Any, what: str) -> None:
    last: list[Any] = []

    def is_so() -> bool:
        last[:] = [found()]
        return bool(last[0] == wanted)

    if not wait(is_so, seconds=SECONDS, pause=1):
        raise TrialError(f"{what}: {last[0]} instead of {wanted}")
