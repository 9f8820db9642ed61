"""GET a page of 20 orders: from a table of 1,000 and from one of 500,000, and beside other servers."""

from collections.abc import Iterator
from functools import partial

from bench.posting import OURS, subjects
from bench.stage import Stage
from bench.wrk import load
from rig.processes import Process, service

PAGE = 20
SMALL, LARGE = 1_000, 500_000
CONNECTIONS = 16
MANY = 64
USERS, PAGES = 1_000, 5
READERS = (OURS, "spring", "node", "go")


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


def beside(stage: Stage, *, rounds: int, seconds: int) -> dict[str, list[dict[str, float]]]:
    """The rate of pages of many users, several of each, beside other servers on the same table."""
    database = "pages_beside"
    url = stage.orders_database(database)
    stage.fill_orders(LARGE, each=PAGES * PAGE, database=database)
    paths = stage.folder / "paths"
    paths.write_text("\n".join(_paths(stage, database)))
    found = subjects(stage, only=READERS, ORDERS_DATABASE_URL=url)
    served: dict[str, list[dict[str, float]]] = {subject.name: [] for subject in found}
    for number in range(rounds):
        for subject in found if number % 2 == 0 else reversed(found):
            read = partial(load, subject.url, "get.lua", connections=MANY, paths=str(paths))
            read(seconds=1)
            before = subject.process.cpu()
            met = read(seconds=seconds)
            served[subject.name].append(met.metrics(subject.process.cpu() - before))
    for subject in found:
        subject.process.end()
    stage.sql(f"DROP DATABASE {database}")
    return served


def _paths(stage: Stage, database: str) -> Iterator[str]:
    """The addresses of all pages of `USERS` users."""
    for number in range(USERS):
        path = f"/order-service/user-{number}/orders?limit={PAGE}"
        yield path
        ids = stage.sql(f"SELECT order_id FROM {database}.orders WHERE user_id = 'user-{number}' ORDER BY id")
        for (last,) in ids[PAGE - 1 : -1 : PAGE]:
            yield f"{path}&after={last}"


def _page(process: Process, url: str, *, seconds: int) -> dict[str, float]:
    path = f"{url}/order-service/user-7/orders?limit={PAGE}"
    load(path, "report.lua", connections=CONNECTIONS, seconds=1)  # Open the connections.
    before = process.cpu()
    met = load(path, "report.lua", connections=CONNECTIONS, seconds=seconds)
    return met.metrics(process.cpu() - before)
