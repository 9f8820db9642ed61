"""The JSON of responses: the course's, with a status added."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from orders_service.catalog.product import Product
from orders_service.orders.order import Order, Status
from orders_service.orders.service import Placement


def placed(order: Placement) -> dict[str, Any]:
    """The order as it was placed: PENDING, even if its status has changed since."""
    return {
        "productId": order.product_id,
        "qty": order.qty,
        "unitPrice": order.unit_price,
        "totalPrice": order.total_price,
        "orderId": order.order_id,
        "status": Status.PENDING,
    }


def order(order: Order | Row[Any]) -> dict[str, Any]:
    """The order as it is now."""
    shown = {
        "productId": order.product_id,
        "qty": order.qty,
        "unitPrice": order.unit_price,
        "totalPrice": order.total_price,
        "createdAt": instant(order.created_at),
        "orderId": order.order_id,
        "status": order.status,
    }
    return shown if order.reason is None else shown | {"reason": order.reason}


def product(product: Product | Row[Any]) -> dict[str, Any]:
    """The product with its stock."""
    return {
        "productId": product.product_id,
        "productName": product.product_name,
        "unitPrice": product.unit_price,
        "stock": product.stock,
        "createdAt": instant(product.created_at),
    }


def instant(value: datetime) -> str:
    """A timestamp in Spring's format: `2026-11-24T07:06:15.292+00:00`."""
    return value.isoformat(timespec="milliseconds")
