"""`catalog supply`: adds a product or a delivery to the stock, and records it as supplied."""

from collections.abc import Callable

import click
from marshmallow import ValidationError
from sqlalchemy.orm import Session

from orders_service.api.requests import KeyText
from orders_service.catalog import service
from orders_service.catalog.errors import ProductExists, ProductNotFound, SupplyDiffers
from orders_service.contract.limits import INT_MAX, PRODUCT_ID_MAX, TEXT_MAX, UNIT_PRICE_MAX
from orders_service.database.columns import utc_now
from orders_service.database.engines import one_session
from orders_service.database.transactions import in_transaction
from orders_service.settings import of_process


@click.group("catalog")
def main() -> None:
    """Add products and stock to the catalog."""


def _text(most: int) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A click callback that checks a text of at most *most* characters by the API's rules for names."""

    def check(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        try:
            return None if value is None else KeyText(most).deserialize(value)
        except ValidationError as error:
            raise click.BadParameter(f"it {error.messages[0]}") from None

    return check


@main.command()
@click.argument("product_id", metavar="PRODUCT", callback=_text(PRODUCT_ID_MAX))
@click.argument("qty", type=click.IntRange(1, INT_MAX))
@click.option(
    "--note",
    required=True,
    callback=_text(TEXT_MAX),
    help="A text that identifies this delivery, for example its number.",
)
@click.option("--name", callback=_text(TEXT_MAX), help="The name, if the product is new.")
@click.option(
    "--unit-price", type=click.IntRange(0, UNIT_PRICE_MAX), help="The price, if the product is new."
)
def supply(product_id: str, qty: int, note: str, name: str | None, unit_price: int | None) -> None:
    """Add QTY pieces of PRODUCT to the stock.

    The same note is applied once, so the command is safe to repeat.
    """

    def work(session: Session) -> tuple[bool, int]:
        added = service.supply(
            session, product_id, qty, note=note, name=name, unit_price=unit_price, now=utc_now()
        )
        return added, service.product(session, product_id).stock

    with one_session(of_process("catalog").catalog_database_url) as session:
        try:
            added, stock = in_transaction(session, work)
        except ProductNotFound as error:
            problem = f"product {product_id} does not exist. To add it, give --name and --unit-price"
            raise click.ClickException(problem) from error
        except ProductExists as error:
            problem = f"product {product_id} exists already. Leave out --name and --unit-price"
            raise click.ClickException(problem) from error
        except SupplyDiffers as error:
            problem = (
                f"this note was used before, for {error.qty} pieces and not {qty}."
                " Use another --note for another delivery"
            )
            raise click.ClickException(problem) from error
    done = f"{qty} supplied" if added else "already supplied under this note"
    click.echo(f"{product_id}: {done}, {stock} in stock")
