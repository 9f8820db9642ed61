"""`size`: what a number of orders a second needs."""

from dataclasses import asdict

import click

from orders_service.commands.output import print_json, print_table
from orders_service.operations.sizing import Costs, Plan, Stored, Wanted, plan

UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


@click.command("size")
@click.option(
    "--orders-per-second",
    "rate",
    type=click.IntRange(1, 1_000_000),
    required=True,
    help="At the busiest hour.",
)
@click.option(
    "--utilization",
    type=click.IntRange(10, 90),
    default=60,
    show_default=True,
    help="Of a core, in per cent.",
)
@click.option(
    "--server-cores",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Cores of each database server and each broker.",
)
@click.option(
    "--replication-factor",
    "replication",
    type=click.IntRange(1, 9),
    default=3,
    show_default=True,
    help="Replicas of each partition in Kafka.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def main(rate: int, utilization: int, server_cores: int, replication: int, as_json: bool) -> None:
    """Print the processes, servers, disk and network that a number of orders a second needs.

    The sums multiply the rate by what one order cost when this version was measured. The exit code is 1 if
    the rate is more than one catalog can carry.
    """
    wanted = Wanted(rate, utilization / 100, server_cores, replication)
    costs = Costs.measured()
    found = plan(wanted, costs)
    exceeded = found.exceeded_by(rate)
    if as_json:
        about = {"wanted": asdict(wanted), "exceeded": exceeded, "measured": asdict(costs)}
        print_json([about | asdict(found)])
    else:
        click.echo(
            f"{rate:,} orders a second, {utilization} % of each core in use, {server_cores} cores a server\n"
        )
        _print(found)
        click.echo(f"\nMeasured on {costs.about['processor']}, {costs.about['date']}")
    if exceeded:
        raise click.ClickException(
            f"{rate:,} orders a second are more than {' and '.join(exceeded)} can carry"
        )


def _print(found: Plan) -> None:
    needs = [(need.name, need.count, f"{need.cores:.2f}") for need in (*found.processes, *found.servers)]
    print_table(["", "needed", "cores in use"], needs)
    click.echo(f"\nCells: {found.cells}. Partitions of each topic: at least {found.partitions}\n")
    stored = [(one.name, size(one.daily), _kept(one)) for one in found.stored]
    print_table(["disk", "a day at this rate", "kept"], stored)
    click.echo()
    print_table(["network", "a second"], [(name, size(value)) for name, value in found.network.items()])
    click.echo()
    for name, limit in found.limits.items():
        click.echo(f"At most {limit:,} orders a second for {name}")


def _kept(stored: Stored) -> str:
    return (
        "not deleted" if stored.days is None else f"{size(stored.daily * stored.days)} in {stored.days} days"
    )


def size(number: float) -> str:
    """A number of bytes with two or three digits: `38 GB`, `1.2 TB`."""
    units = iter(UNITS)
    unit = next(units)
    while number >= 999.5:
        number, unit = number / 1000, next(units)
    return f"{number:.3g} {unit}" if number >= 99.5 else f"{number:.2g} {unit}"
