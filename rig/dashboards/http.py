"""The dashboard of the API's requests."""

from typing import Any

from rig.dashboards.expressions import mean, quantile, quantiles, rate
from rig.dashboards.panels import RED, YELLOW, Panel, dashboard, note, row, stat

REQUESTS = "orders_http_requests_total"
DURATION = "orders_http_request_duration_seconds"
# As in the alerts: probes and scrapes are no customers.
CUSTOMERS = 'route!~"/(livez|readyz|actuator/health|metrics)"'
FAILED = f'{CUSTOMERS},status=~"5.."'
SECOND = f'{CUSTOMERS},le="1.0"'

ABOUT = """
All requests that the API answered, of all its processes together. **Row 1** is how it is now; the colours are
those of the alerts *OrdersServerErrors* and *OrdersSlowRequests*. **Row 2** shows which routes and statuses
there are, and how long their answers take. **Row 3** shows the transactions in which orders are placed: many
orders that wait together are committed in one. **Row 4** shows what the API depends on.

Requests that wait for an order (`Prefer: wait`, streams) are counted, but not timed. What happens to an order
after the answer is on the dashboard *The road of an order*.
"""

NOW = [
    row("1. Now"),
    stat("Requests", rate(REQUESTS, where=CUSTOMERS), unit="reqps", about="Without probes and scrapes."),
    stat(
        "Share of server errors",
        f"{rate(REQUESTS, where=FAILED)} / {rate(REQUESTS, where=CUSTOMERS)}",
        unit="percentunit",
        limits={YELLOW: 0.001, RED: 0.02},
        about="Statuses of 500 and above. From 2 % on, the alert OrdersServerErrors fires.",
    ),
    stat(
        "Share slower than 1 s",
        f"1 - {rate(f'{DURATION}_bucket', where=SECOND)} / {rate(f'{DURATION}_count', where=CUSTOMERS)}",
        unit="percentunit",
        limits={YELLOW: 0.01, RED: 0.05},
        about="From 5 % on, the alert OrdersSlowRequests fires.",
    ),
    stat("APIs that answer Prometheus", 'sum(up{job="api"})', limits={}, about="Containers or hosts."),
]
ROUTES = [
    row("2. Requests"),
    Panel(
        title="Requests by route",
        about="Routes without requests are left out.",
        series={"{{method}} {{route}}": f"{rate(REQUESTS, by='route, method')} > 0"},
        unit="reqps",
        width=12,
    ),
    Panel(
        title="Requests by status",
        about="201: placed. 4xx: the client's mistake. 503: an overload, or no database. 500: our fault.",
        series={"{{status}}": rate(REQUESTS, by="status")},
        unit="reqps",
        width=12,
    ),
    Panel(
        title="Time to answer",
        about="All routes of customers together.",
        series=quantiles(DURATION, where=CUSTOMERS),
        unit="s",
        limits={RED: 1},
        width=12,
    ),
    Panel(
        title="Time to answer, by route (99 %)",
        series={"{{method}} {{route}}": quantile(0.99, DURATION, by="route, method")},
        unit="s",
        width=12,
    ),
]
COMMITS = [
    row("3. Placing orders"),
    Panel(
        title="Orders placed",
        series={"orders": rate("orders_placed_total")},
        unit="suffix: orders/s",
        width=6,
    ),
    Panel(
        title="Orders in one transaction",
        about="The more orders come at once, the more of them share a transaction.",
        series={
            "mean": mean("orders_committer_group_size"),
            "95 %": quantile(0.95, "orders_committer_group_size"),
        },
        width=6,
    ),
    Panel(
        title="Duration of a transaction",
        about="If this grows, MariaDB's disk is slow or busy.",
        series=quantiles("orders_committer_commit_seconds"),
        unit="s",
        width=6,
    ),
    Panel(
        title="Orders that wait for a transaction",
        about="Each process takes API_QUEUE_MAX (512). An order beyond that is answered with 503.",
        series={"all processes": "sum(orders_committer_queue)"},
        limits={YELLOW: 256, RED: 512},
        width=6,
    ),
]
BEHIND = [
    row("4. Behind the API"),
    Panel(
        title="Databases",
        about="1: every API reaches it. 0: at least one does not (the alert OrdersDatabaseDown).",
        series={"{{database}}": "min by (database) (orders_database_up)"},
        width=12,
    ),
    Panel(
        title="Age of the issuer's keys",
        about="Empty without AUTH_JWKS_URL. From 3600 s on, the alert OrdersKeysOld fires.",
        series={"{{instance}}": "max by (instance) (orders_auth_keys_age_seconds)"},
        unit="s",
        limits={RED: 3600},
        width=12,
    ),
]


def http() -> dict[str, Any]:
    """The dashboard *HTTP*."""
    panels = [note("What you see", ABOUT.strip()), *NOW, *ROUTES, *COMMITS, *BEHIND]
    return dashboard("orders-http", "HTTP", "The API's requests.", panels)
