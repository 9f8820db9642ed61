"""The dashboard of an order's road, from the customer to the answer."""

from typing import Any

from rig.dashboards.expressions import or_zero, quantile, quantiles, rate
from rig.dashboards.panels import RED, YELLOW, Panel, dashboard, note, row, stat
from rig.dashboards.workers import consumer, relay

ABOUT = """
An order is placed over HTTP (**2**). Its event waits in the outbox of the orders until `orders-relay` has
sent it to Kafka (**3**). `stock-consumer` reads it, and reserves the stock (**4**). Its answer waits in the
outbox of the catalog until `catalog-relay` has sent it (**5**). `status-consumer` reads it, and confirms or
rejects the order (**6**).

Read the rows from top to bottom: the first one in which something waits is where the road is blocked. **1**
is what customers feel; **7** is what no process repairs by itself. The colours are those of the alerts.
"""
FEEL = [
    row("1. What customers feel"),
    stat("Orders placed", rate("orders_placed_total"), unit="suffix: orders/s"),
    stat("Orders answered", rate("orders_answered_total"), unit="suffix: orders/s"),
    stat(
        "From the order to its answer (95 %)",
        quantile(0.95, "orders_answer_seconds"),
        unit="s",
        limits={YELLOW: 5, RED: 60},
        about="Measured when the order is confirmed or rejected.",
    ),
    stat(
        "Oldest order without an answer",
        "max(orders_pending_age_seconds)",
        unit="s",
        limits={YELLOW: 10, RED: 60},
        about="From 60 s on, the alert OrdersUnanswered fires.",
    ),
]
IN = [
    row("2. An order comes in: api"),
    Panel(title="Orders placed", series={"orders": rate("orders_placed_total")}, unit="suffix: orders/s"),
    Panel(
        title="Time to answer a new order",
        about="The dashboard HTTP has the details.",
        series=quantiles(
            "orders_http_request_duration_seconds",
            where='method="POST",route="/order-service/{userId}/orders"',
        ),
        unit="s",
        limits={RED: 1},
    ),
    Panel(
        title="Duration of the transaction",
        about="The order and its event are written in one transaction, for many orders at once.",
        series=quantiles("orders_committer_commit_seconds"),
        unit="s",
    ),
]


PERSON = [
    row("7. What needs a person"),
    Panel(
        title="Dead letters, and events set aside",
        about="Above 0, the alerts OrdersDeadLetter and OrdersEventSetAside fire.",
        series={
            "dead letters in {{database}}": "max by (database) (orders_dead_letters)",
            "set aside in {{database}}": "max by (database) (orders_outbox_set_aside_events)",
        },
        limits={RED: 1},
        width=6,
    ),
    Panel(
        title="New dead letters in five minutes, by reason",
        series={"{{reason}}": "sum by (reason) (increase(orders_dead_letters_total[5m]))"},
        width=6,
    ),
    Panel(
        title="Steps that failed in two minutes",
        about="Single ones are normal. For three minutes: the alert OrdersStepFailing.",
        series={"{{worker}}": "sum by (worker) (increase(orders_step_failures_total[2m]))"},
        width=6,
    ),
    Panel(
        title="Processes that answer Prometheus",
        about="By command. At 0, the alert OrdersTargetMissing fires after two minutes.",
        series={"{{job}}": 'sum by (job) (up{job!~"prometheus|alertmanager"})'},
        width=6,
    ),
    Panel(
        title="Alerts",
        about="Those that fire now, by name.",
        series={"{{alertname}}": or_zero('count by (alertname) (ALERTS{alertstate="firing"})')},
        limits={RED: 1},
        width=12,
    ),
    Panel(title="Versions", series={"{{version}}": "count by (version) (orders_build_info)"}, width=12),
]
ANSWERS = [
    Panel(
        title="Orders answered",
        series={"{{status}} {{reason}}": rate("orders_answered_total", by="status, reason")},
        unit="suffix: orders/s",
        width=12,
    ),
    Panel(
        title="From the order to its answer",
        about="From the POST to CONFIRMED or REJECTED. Of a batch of answers, at most 20 count.",
        series=quantiles("orders_answer_seconds"),
        unit="s",
        limits={RED: 60},
        width=12,
    ),
]


def road() -> dict[str, Any]:
    """The dashboard *The road of an order*."""
    panels = [
        note("What you see", ABOUT.strip()),
        *FEEL,
        *IN,
        *relay(3, "orders-relay", "orders"),
        *consumer(4, "Stock is reserved", "stock-consumer"),
        *relay(5, "catalog-relay", "catalog"),
        *consumer(6, "The order is confirmed or rejected", "status-consumer"),
        *ANSWERS,
        *PERSON,
    ]
    about = "Where orders are on their way, and where they wait."
    return dashboard("orders-road", "The road of an order", about, panels)
