"""The tutorial's way: Flask-SQLAlchemy's ORM in each request, then `producer.send`, and hope for the best.

No outbox: what was committed when the process dies, or while Kafka is away, has no event.
"""

import json
import os
import uuid
from datetime import UTC, datetime
from typing import Any

import kafka
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from marshmallow import RAISE, Schema, ValidationError, fields, validate
from sqlalchemy import DateTime, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The tutorial's models."""


class Order(Base):
    """The orders' table."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[str] = mapped_column(String(120))
    qty: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[int] = mapped_column(Integer)
    total_price: Mapped[int] = mapped_column(Integer)
    user_id: Mapped[str] = mapped_column(String(255))
    order_id: Mapped[str] = mapped_column(String(255), unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime)
    status: Mapped[str] = mapped_column(String(16))
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(DateTime)


class OrderRequest(Schema):
    """The body of a placed order, as strictly as ours."""

    class Meta:
        unknown = RAISE

    productId = fields.String(required=True, validate=validate.Length(1, 120))
    qty = fields.Integer(required=True, strict=True, validate=validate.Range(1, 10_000))
    unitPrice = fields.Integer(required=True, strict=True, validate=validate.Range(0, 100_000_000))


db = SQLAlchemy(model_class=Base)
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["ORDERS_DATABASE_URL"]
db.init_app(app)
topic = os.environ.get("CATALOG_TOPIC", "example-catalog-topic")
producer = kafka.KafkaProducer(
    bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    value_serializer=lambda value: json.dumps(value).encode(),
)


@app.post("/order-service/<user_id>/orders")
def place(user_id: str) -> ResponseReturnValue:
    """Place an order."""
    try:
        body: dict[str, Any] = OrderRequest().load(request.get_json())
    except ValidationError as error:
        return jsonify(error.messages), 422
    if body["qty"] * body["unitPrice"] > 2**31 - 1:
        return jsonify(qty=["the total is too large"]), 422
    now = datetime.now(UTC).replace(tzinfo=None)
    order = Order(
        product_id=body["productId"],
        qty=body["qty"],
        unit_price=body["unitPrice"],
        total_price=body["qty"] * body["unitPrice"],
        user_id=user_id,
        order_id=str(uuid.uuid4()),
        created_at=now,
        status="PENDING",
        version=1,
        updated_at=now,
    )
    db.session.add(order)
    db.session.commit()
    answer = {
        "productId": order.product_id,
        "qty": order.qty,
        "unitPrice": order.unit_price,
        "totalPrice": order.total_price,
        "orderId": order.order_id,
        "status": order.status,
    }
    producer.send(topic, answer | {"userId": user_id})
    return jsonify(answer), 201
