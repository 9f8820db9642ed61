"""The rows of the relays and the consumers."""

from rig.dashboards.expressions import quantiles, rate
from rig.dashboards.panels import RED, YELLOW, Panel, row


def relay(number: int, job: str, database: str) -> list[Panel]:
    """The row of an outbox and its relay."""
    return [
        row(f"{number}. The event is sent: {job}"),
        Panel(
            title="Age of the oldest event that waits",
            about="From 60 s on, the alert OrdersEventsWaiting fires.",
            series={
                "{{topic}}": f'max by (topic) (orders_outbox_pending_age_seconds{{database="{database}"}})'
            },
            unit="s",
            limits={YELLOW: 10, RED: 60},
            width=6,
        ),
        Panel(
            title="Events that wait in the outbox",
            series={"{{topic}}": f'max by (topic) (orders_outbox_pending_events{{database="{database}"}})'},
            width=6,
        ),
        Panel(
            title="Events sent",
            about="acknowledged: Kafka has them. failed: sent again later. set-aside: refused permanently.",
            series={"{{outcome}}": rate("orders_relay_events_total", by="outcome", where=f'job="{job}"')},
            unit="suffix: events/s",
            width=6,
        ),
        Panel(
            title="Time to Kafka's acknowledgement",
            series=quantiles("orders_relay_ack_seconds", where=f'job="{job}"'),
            unit="s",
            width=6,
        ),
    ]


def consumer(number: int, title: str, job: str) -> list[Panel]:
    """The row of a consumer group."""
    here = f'job="{job}"'
    lag = f"sum by (group) (orders_consumer_lag{{{here}}})"
    return [
        row(f"{number}. {title}: {job}"),
        Panel(
            title="Records that it has not read",
            about="OrdersConsumerBehind fires if it needs more than 60 s for them, or has no partition.",
            series={"{{group}}": lag},
            width=6,
        ),
        Panel(
            title="Records read",
            about="skipped: events of types that we do not know. dead-letter: could not be applied.",
            series={"{{outcome}}": rate("orders_consumer_records_total", by="outcome", where=here)},
            unit="suffix: records/s",
            width=6,
        ),
        Panel(
            title="Duration of a batch",
            series=quantiles("orders_consumer_batch_seconds", where=here),
            unit="s",
            width=6,
        ),
        Panel(
            title="Partitions and rebalances",
            about="How many partitions have a consumer, and how often they were distributed in five minutes.",
            series={
                "partitions": f"count(orders_consumer_lag{{{here}}})",
                "rebalances": f"sum(increase(orders_consumer_rebalances_total{{{here}}}[5m]))",
            },
            width=6,
        ),
    ]
