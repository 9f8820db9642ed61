"""FastAPI, uvicorn and asyncmy: one transaction for each request, the order and its event.

As fast as it is simple: SQL by hand, a pool for each process, ids and events as ours. It knows no idempotency
keys, no retries and no deadlines.
"""

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
INSERT_ORDER = (
    "INSERT INTO orders (product_id, qty, unit_price, total_price, user_id, order_id, created_at, status,"
    " reason, version, updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, 'PENDING', NULL, 1, %s)"
)
INSERT_EVENT = (
    "INSERT INTO outbox (id, specversion, source, type, aggregatetype, aggregateid, time, topic, `key`,"
    " payload, traceparent, created_at, published_at, lane, error) VALUES"
    " (%s, '1.0', '/order-service', 'order.placed.v1', 'order', %s, %s, %s, %s, %s, NULL, %s, NULL, %s, NULL)"
)


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
    yield
    app.state.pool.close()
    await app.state.pool.wait_closed()


app = FastAPI(lifespan=connected)
topic = os.environ.get("CATALOG_TOPIC", "example-catalog-topic")


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
    async with app.state.pool.acquire() as connection, connection.cursor() as cursor:
        try:
            await cursor.execute(
                INSERT_ORDER,
                (
                    body.productId,
                    body.qty,
                    body.unitPrice,
                    order["totalPrice"],
                    user_id,
                    order_id,
                    created_at,
                    created_at,
                ),
            )
            await cursor.execute(
                INSERT_EVENT,
                (event_id, order_id, time, topic, body.productId, payload, created_at, topic),
            )
            await connection.commit()
        except BaseException:
            await connection.rollback()
            raise
    return order | {"status": "PENDING"}
