"""The time from POST to answer near the capacity, measured and as the model of `queues.py` says it.

`python -m bench.queueing` measures the capacity of this machine and what an order costs each process, and the
response time when idle. The model knows only these. Both are asked for the times at three loads.
"""

import os
import random
import time
from collections.abc import Sequence
from datetime import UTC

import click

from bench.batches import BATCH, sending
from bench.queues import BATCH_MAX, Station, Tandem, arrivals, counted
from bench.sizing import Counters, Scene, scene
from bench.stage import percentile
from orders_service.api.committer import GROUP_MAX
from orders_service.processes import PROCESSES

SHARES = (0.5, 0.8, 0.95)
SINGLE = 100
APART_SECONDS = 0.15
MODELLED = 300_000  # Orders of each simulated load.
# Which processes use a server: its cost is divided among them.
USED_BY = {
    "MariaDB, orders": ("api", "orders-relay", "status-consumer"),
    "MariaDB, catalog": ("stock-consumer", "catalog-relay"),
    "Kafka": ("orders-relay", "stock-consumer", "catalog-relay", "status-consumer"),
}


def measured(on: Scene, rate: float, seconds: int) -> list[float]:
    """The seconds from when each order was due until the status consumer began to apply its answer."""
    on.empty()
    with sending(on.deployment.url, rate, chance=random.Random(1)) as load:
        time.sleep(seconds)
    on.await_answers()
    return [
        answered.replace(tzinfo=UTC).timestamp() - load.due[int(user.removeprefix("user-"))]
        for user, answered in on.say(
            "orders", "SELECT user_id, updated_at FROM orders_size.orders ORDER BY id"
        )
    ]


def idle(on: Scene) -> float:
    """The median response time of a batch on the idle system, in seconds."""
    return percentile(measured(on, BATCH / APART_SECONDS, round(SINGLE * APART_SECONDS)), 50)


def stations(costs: Counters, placing_ms: float, idle_seconds: float) -> list[Station]:
    """The stations of the road. What is left of the response time when idle is spent without a core."""
    milliseconds = {process.command: costs["cpu_ms"][process.command] for process in PROCESSES}
    milliseconds["api"] = placing_ms  # In a batch an order costs less than alone.
    for server, users in USED_BY.items():
        for user in users:
            milliseconds[user] += costs["cpu_ms"][server] / len(users)
    orders = [milliseconds[process.command] / 1000 for process in PROCESSES]
    batch = max(0.0, idle_seconds - BATCH * sum(orders)) / len(orders)
    most = [GROUP_MAX if process.command == "api" else BATCH_MAX for process in PROCESSES]
    return [Station(batch, order, limit) for order, limit in zip(orders, most, strict=True)]


def modelled(road: Sequence[Station], rate: float, *, cores: int) -> list[float]:
    """The seconds from arrival to answer that the model says, for batches at random moments."""
    times = arrivals(rate, MODELLED, together=BATCH, chance=random.Random(1))
    return list(counted(Tandem(road, cores=cores).response_times(times)))


def capacity(on: Scene, seconds: int) -> tuple[float, float]:
    """The most orders a second that are answered; and milliseconds of a core for sending and placing one."""
    on.empty()
    api = on.deployment.processes["api"]
    spent, began = time.process_time() + api.cpu(), time.monotonic()
    with sending(on.deployment.url) as load:
        time.sleep(seconds)
    spent = time.process_time() + api.cpu() - spent
    on.await_answers()
    return load.accepted / (time.monotonic() - began), 1000 * spent / load.accepted


def _row(first: str, rate: float, found: Sequence[Sequence[float]]) -> str:
    times = [f"{1000 * percentile(one, part):,.0f}" for one in found for part in (50, 99)]
    return f"| {first} | {rate:,.0f} | {' | '.join(times)} |"


@click.command()
@click.option("--seconds", default=20, show_default=True, help="How long each load lasts.")
def main(seconds: int) -> None:
    """Print the times at three loads, measured and modelled, and the model's with a core for each process."""
    cores = os.cpu_count() or 1
    with scene() as on:
        costs = on.costs(seconds)
        on.open()
        most, placing_ms = capacity(on, seconds)
        road = stations(costs, placing_ms, idle(on))
        click.echo("| of the capacity | orders/s | p50 ms | p99 ms | the model's p50 | p99 |")
        click.echo("|---" * 6 + "|")
        for share in SHARES:
            rate = most * share
            found = measured(on, rate, seconds), modelled(road, rate, cores=cores)
            click.echo(_row(f"{share:.0%}", rate, found))
    slowest = min(1 / (station.order + station.batch / station.most) for station in road)
    click.echo("\n| a core for each process | orders/s | p50 ms | p99 ms |")
    click.echo("|---" * 4 + "|")
    for share in SHARES:
        click.echo(_row(f"{share:.0%}", slowest * share, [modelled(road, slowest * share, cores=len(road))]))


if __name__ == "__main__":
    main()
