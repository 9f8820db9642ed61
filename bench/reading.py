"""GET a page of 20 orders: from a table of 1,000, and from a table of 500,000."""

from bench.stage import Stage
from bench.wrk import load
from rig.processes import Process, service

PAGE = 20
SMALL, LARGE = 1_000, 500_000
CONNECTIONS = 16


def pages(stage: Stage, *, rounds: int, seconds: int) -> dict[str, list[dict[str, float]]]:
    """The rate of pages from a small table and from a large one, in turn."""
    served = {}
    for rows in (SMALL, LARGE):
        database = f"pages_{rows}"
        url = stage.orders_database(database)
        stage.fill_orders(rows, each=PAGE, database=database)
        served[f"of {rows:,}"] = stage.serve(f"api-{database}", service("api"), ORDERS_DATABASE_URL=url)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in served}
    for _ in range(rounds):
        for name, (process, address) in served.items():
            found[name].append(_page(process, address, seconds=seconds))
    for process, _ in served.values():
        process.end()
    for rows in (SMALL, LARGE):
        stage.sql(f"DROP DATABASE pages_{rows}")
    return found


def _page(process: Process, url: str, *, seconds: int) -> dict[str, float]:
    path = f"{url}/order-service/user-7/orders?limit={PAGE}"
    load(path, "report.lua", connections=CONNECTIONS, seconds=1)  # Open the connections.
    before = process.cpu()
    met = load(path, "report.lua", connections=CONNECTIONS, seconds=seconds)
    return met.metrics(process.cpu() - before)
