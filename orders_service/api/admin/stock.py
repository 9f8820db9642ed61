"""The stock over HTTP: `/admin/stock`."""

from collections.abc import Callable
from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError, validates_schema
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from orders_service.api.admin import changes, sessions, views
from orders_service.api.admin.blueprint import admin
from orders_service.api.admin.changes import Change
from orders_service.api.admin.views import Json
from orders_service.api.errors import InvalidFields
from orders_service.api.requests import KeyText, WholeNumber
from orders_service.catalog import service
from orders_service.catalog.balance import Balance
from orders_service.catalog.errors import NotInStock, ProductExists, StockTooLarge, SupplyDiffers
from orders_service.contract.limits import INT_MAX, PRODUCT_ID_MAX, TEXT_MAX, UNIT_PRICE_MAX
from orders_service.database.columns import utc_now
from orders_service.operations import actions, stock
from orders_service.operations.command_line import command_line

STOCK = "/stock"
STOCK_SECONDS = 10.0  # The sum is made at most so often.
NOTHING: Json = {"products": [], "sum": None, "supplies": [], "more": False, "problem": None}
LATE: Json = NOTHING | {
    "problem": f"There is no sum: it takes at most {stock.PRODUCTS_MAX} products and {stock.SECONDS:.0f} s."
}


class Supplied(Change):
    """The body of a delivery. A new product needs its name and its price."""

    qty = WholeNumber(1, INT_MAX)
    note = KeyText(TEXT_MAX)
    product_name = KeyText(TEXT_MAX, required=False, data_key="productName")
    unit_price = WholeNumber(0, UNIT_PRICE_MAX, required=False, data_key="unitPrice")

    @validates_schema
    def name_has_price(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a name without a price, and a price without a name."""
        if ("product_name" in data) != ("unit_price" in data):
            missing = "unitPrice" if "product_name" in data else "productName"
            raise ValidationError("is missing: a new product needs its name and its price", missing)


class Corrected(Change):
    """The body of a correction."""

    qty = WholeNumber(-INT_MAX, INT_MAX)
    note = KeyText(TEXT_MAX)

    @validates_schema
    def changes_something(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a correction by nothing."""
        if data["qty"] == 0:
            raise ValidationError("must not be 0", "qty")


SUPPLIED, CORRECTED = Supplied(), Corrected()
PRODUCT_ID = KeyText(PRODUCT_ID_MAX)


@admin.get(STOCK)
def show_stock() -> ResponseReturnValue:
    """Each product with its stock, what is reserved and what was supplied; their sum; the newest supplies."""
    return views.show("stock")


def balances() -> Json:
    """The answer of `show_stock`. It adds up the reservations of all products."""
    try:
        with sessions.session_of("catalog") as session:
            found = stock.products(session)
        with sessions.reading("catalog") as session:
            supplies = stock.newest_supplies(session)
    except SQLAlchemyError:
        return NOTHING | {"problem": sessions.away("catalog")}
    return {
        "products": [_as_json(each) for each in found.shown],
        "sum": None if found.sum is None else _sums(found.sum),
        "supplies": [
            {
                "productId": row.product_id,
                "qty": row.qty,
                "note": row.note,
                "at": row.created_at.isoformat(timespec="microseconds"),
            }
            for row in supplies
        ],
        "more": found.more,
        "problem": None if found.sum else LATE["problem"],
    }


@admin.post(f"{STOCK}/<path:product_id>/supplies")
def supply_stock(product_id: str) -> ResponseReturnValue:
    """Add delivered pieces to the stock, once for each note."""
    values = changes.load(SUPPLIED)
    qty, note = values["qty"], values["note"]
    name, price = values.get("product_name"), values.get("unit_price")
    _require_product_id(product_id)

    def supply(session: Session) -> bool:
        return service.supply(session, product_id, qty, note=note, name=name, unit_price=price, now=utc_now())

    new = [] if name is None else ["--name", name, "--unit-price", str(price)]
    command = command_line(
        "catalog", "supply", arguments=(product_id, str(qty)), options=("--note", note, *new)
    )
    pieces = "1 piece" if qty == 1 else f"{qty} pieces"
    return _change(
        "catalog supply", product_id, values, supply, command, f"{pieces} of {product_id} supplied"
    )


@admin.post(f"{STOCK}/<path:product_id>/corrections")
def correct_stock(product_id: str) -> ResponseReturnValue:
    """Correct the stock by some pieces more or less, once for each note."""
    values = changes.load(CORRECTED)
    qty, note = values["qty"], values["note"]
    _require_product_id(product_id)

    def correct(session: Session) -> bool:
        return service.correct(session, product_id, qty, note=note, now=utc_now())

    command = command_line("catalog", "correct", arguments=(product_id, f"{qty:+}"), options=("--note", note))
    return _change(
        "catalog correct", product_id, values, correct, command, f"{product_id} corrected by {qty:+}"
    )


def _change(
    name: str,
    product_id: str,
    values: dict[str, Any],
    change: Callable[[Session], bool],
    command: str,
    done: str,
) -> Response:
    """Commit *change* with its record, in one transaction. Refusals of the catalog become wrong fields."""

    def work(session: Session) -> dict[str, Any]:
        changed = change(session)
        pieces = service.product(session, product_id).stock
        sentence = f"{done}: {pieces} in stock."
        if not changed:
            sentence = f"Nothing was done, because this note was used before: {pieces} in stock."
        return {"done": sentence, "command": command, "changed": changed, "stock": pieces}

    try:
        with sessions.session_of("catalog") as session:
            return changes.answer(actions.once(session, changes.action(name, product_id, values), work))
    except ProductExists as error:
        problem = "must be left out: the product exists already, with a name and a price"
        raise InvalidFields({"productName": problem}) from error
    except SupplyDiffers as error:
        problem = (
            f"was used before, for {error.qty} pieces. Use another note for another delivery or correction"
        )
        raise InvalidFields({"note": problem}) from error
    except NotInStock as error:
        problem = (
            f"takes more than the {error.stock} pieces in stock. {error.reserved} are reserved for orders and"
            " can be taken only after these are cancelled"
        )
        raise InvalidFields({"qty": problem}) from error
    except StockTooLarge as error:
        raise InvalidFields({"qty": f"would make the stock {error.stock}; at most {INT_MAX}"}) from error


def _require_product_id(product_id: str) -> None:
    try:
        PRODUCT_ID.deserialize(product_id)
    except ValidationError as error:
        raise InvalidFields({"productId": str(error.messages[0])}, in_body=False) from error


def _as_json(found: Balance) -> dict[str, Any]:
    return {
        "productId": found.product_id,
        "productName": found.product_name,
        "unitPrice": found.unit_price,
        **_sums(found),
        "surplus": found.surplus,
    }


def _sums(found: Balance) -> dict[str, Any]:
    return {
        "stock": found.stock,
        "reserved": found.reserved,
        "supplied": found.supplied,
        "addsUp": found.surplus == 0,
    }
