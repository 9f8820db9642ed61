"""FastAPI, uvicorn and asyncmy: one transaction for each request, the order and its event.

As fast as it is simple: SQL by hand, a pool for each process, ids and events as ours. It knows no idempotency
keys, no retries and no deadlines. With MODE=group all requests that wait are committed together, as in ours.
"""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import asyncmy
from fastapi import FastAPI, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.engine import make_url

NAMESPACE = uuid.UUID("6f2c9a54-3d0e-5b8a-9c41-7be0f5d1a2c3")
CONNECTIONS = 10
GROUP_MAX = 64
IN_GROUPS = os.environ.get("MODE") == "group"
ORDER_COLUMNS = (
    "product_id, qty, unit_price, total_price, user_id, order_id, created_at, status, reason, version,"
    " updated_at"
)
EVENT_COLUMNS = (
    "id, specversion, source, type, aggregatetype, aggregateid, time, topic, `key`, payload, traceparent,"
    " created_at, published_at, lane, error"
)


def insert(table: str, columns: str) -> str:
    """An INSERT whose values are all parameters: the driver then sends many rows in one statement."""
    values = ", ".join(["%s"] * len(columns.split(",")))
    return f"INSERT INTO {table} ({columns}) VALUES ({values})"


INSERT_ORDER, INSERT_EVENT = insert("orders", ORDER_COLUMNS), insert("outbox", EVENT_COLUMNS)


class OrderRequest(BaseModel):
    """The body of a placed order, as strictly as ours."""

    model_config = ConfigDict(strict=True, extra="forbid")

    productId: str = Field(min_length=1, max_length=120)
    qty: int = Field(ge=1, le=10_000)
    unitPrice: int = Field(ge=0, le=100_000_000)

    @model_validator(mode="after")
    def total_fits(self) -> Self:
        """Refuse what a 32-bit total cannot hold."""
        if self.qty * self.unitPrice > 2**31 - 1:
            raise ValueError("the total is too large")
        return self


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    """A pool for as long as the process serves."""
    url = make_url(os.environ["ORDERS_DATABASE_URL"])
    app.state.pool = await asyncmy.create_pool(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        db=url.database,
        minsize=CONNECTIONS,
        maxsize=CONNECTIONS,
        charset="utf8mb4",
        init_command="SET time_zone='+00:00', tx_isolation='READ-COMMITTED'",
    )
    committer = asyncio.create_task(commit_groups(app.state.pool)) if IN_GROUPS else None
    yield
    if committer:
        committer.cancel()
    app.state.pool.close()
    await app.state.pool.wait_closed()


app = FastAPI(lifespan=connected)
topic = os.environ.get("CATALOG_TOPIC", "example-catalog-topic")


Rows = tuple[tuple[Any, ...], tuple[Any, ...]]  # The row of an order and the row of its event.
waiting: asyncio.Queue[tuple[Rows, "asyncio.Future[None]"]] = asyncio.Queue()


async def commit(pool: Any, group: list[Rows]) -> None:
    """Commit orders and their events in one transaction. `executemany` sends all rows in one statement."""
    async with pool.acquire() as connection, connection.cursor() as cursor:
        try:
            await cursor.executemany(INSERT_ORDER, [order for order, _ in group])
            await cursor.executemany(INSERT_EVENT, [event for _, event in group])
            await connection.commit()
        except BaseException:
            await connection.rollback()
            raise


async def commit_groups(pool: Any) -> None:
    """Commit those who wait, one group after the other."""
    while True:
        group = [await waiting.get()]
        while len(group) < GROUP_MAX and not waiting.empty():
            group.append(waiting.get_nowait())
        failure: Exception | None = None
        try:
            await commit(pool, [rows for rows, _ in group])
        except Exception as error:
            failure = error
        for _, done in group:
            if not done.done():
                done.set_exception(failure) if failure else done.set_result(None)


@app.post("/order-service/{user_id}/orders", status_code=201)
async def place(user_id: Annotated[str, Path(max_length=255)], body: OrderRequest) -> dict[str, Any]:
    """Place an order."""
    order_id = str(uuid.uuid4())
    now = datetime.now(UTC)
    order = {
        "productId": body.productId,
        "qty": body.qty,
        "unitPrice": body.unitPrice,
        "totalPrice": body.qty * body.unitPrice,
        "orderId": order_id,
    }
    payload = json.dumps(order | {"userId": user_id}, ensure_ascii=False, separators=(",", ":"))
    event_id = str(uuid.uuid5(NAMESPACE, f"order.placed.v1:{order_id}"))
    time = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    created_at = now.replace(tzinfo=None)
    values = body.productId, body.qty, body.unitPrice, order["totalPrice"], user_id, order_id
    of_event = "1.0", "/order-service", "order.placed.v1", "order", order_id
    rows = (
        (*values, created_at, "PENDING", None, 1, created_at),
        (event_id, *of_event, time, topic, body.productId, payload, None, created_at, None, topic, None),
    )
    if IN_GROUPS:
        done = asyncio.get_running_loop().create_future()
        waiting.put_nowait((rows, done))
        await done
    else:
        await commit(app.state.pool, [rows])
    return order | {"status": "PENDING"}
