"""`catalog list|supply|correct`: shows products and their stock, adds deliveries, corrects the stock."""

from collections.abc import Callable
from typing import Any

import click
from sqlalchemy.orm import Session

from orders_service.catalog import service
from orders_service.catalog.balance import Balance, balances
from orders_service.catalog.errors import (
    NotInStock,
    ProductExists,
    ProductNotFound,
    StockTooLarge,
    SupplyDiffers,
)
from orders_service.commands import arguments
from orders_service.commands.arguments import NegativeNumbers
from orders_service.commands.output import print_json, print_table, short
from orders_service.contract.limits import INT_MAX, PRODUCT_ID_MAX, TEXT_MAX, UNIT_PRICE_MAX
from orders_service.database.columns import utc_now
from orders_service.database.engines import one_session
from orders_service.database.transactions import in_transaction
from orders_service.settings import of_process

HEAD = ("PRODUCT", "NAME", "PRICE", "STOCK", "RESERVED", "SUPPLIED", "")


@click.group("catalog")
def main() -> None:
    """List products, add deliveries to the stock, and correct it."""


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_(as_json: bool) -> None:
    """List products: their price, stock, reserved and supplied pieces.

    A line is marked with ✘ if stock + reserved is not supplied.
    """
    with one_session(of_process("catalog").catalog_database_url) as session:
        if as_json:
            print_json(map(_as_json, balances(session)))
        elif not print_table(HEAD, map(_row, balances(session))):
            click.echo("No products.")


@main.command(cls=NegativeNumbers)
@click.argument("product_id", metavar="PRODUCT", callback=arguments.text(PRODUCT_ID_MAX))
@click.argument("qty", type=arguments.Delivered(1, INT_MAX))
@click.option(
    "--note",
    required=True,
    callback=arguments.text(TEXT_MAX),
    help="A text that identifies this delivery, for example its number.",
)
@click.option("--name", callback=arguments.text(TEXT_MAX), help="The name, if the product is new.")
@click.option(
    "--unit-price", type=click.IntRange(0, UNIT_PRICE_MAX), help="The price, if the product is new."
)
def supply(product_id: str, qty: int, note: str, name: str | None, unit_price: int | None) -> None:
    """Add QTY pieces of PRODUCT to the stock.

    The same note is applied once, so the command is safe to repeat.
    """
    added, stock = _changed(
        product_id,
        qty,
        lambda session: service.supply(
            session, product_id, qty, note=note, name=name, unit_price=unit_price, now=utc_now()
        ),
        if_unknown=". To add it, give --name and --unit-price",
    )
    done = f"{qty} supplied" if added else "already supplied under this note"
    click.echo(f"{product_id}: {done}, {stock} in stock")


@main.command(cls=NegativeNumbers)
@click.argument("product_id", metavar="PRODUCT", callback=arguments.text(PRODUCT_ID_MAX))
@click.argument("qty", type=arguments.Difference(INT_MAX))
@click.option(
    "--note",
    required=True,
    callback=arguments.text(TEXT_MAX),
    help="The reason, as a text that identifies this correction.",
)
def correct(product_id: str, qty: int, note: str) -> None:
    """Correct the stock of PRODUCT by QTY pieces: -3 if three are missing, +3 if there are three more.

    The same note is applied once, so the command is safe to repeat. Reserved pieces are never taken.
    """
    corrected, stock = _changed(
        product_id, qty, lambda session: service.correct(session, product_id, qty, note=note, now=utc_now())
    )
    done = f"corrected by {qty:+}" if corrected else "already corrected under this note"
    click.echo(f"{product_id}: {done}, {stock} in stock")


def _changed(
    product_id: str, qty: int, change: Callable[[Session], bool], *, if_unknown: str = ""
) -> tuple[bool, int]:
    """Commit *change*; return whether it was new, and the stock. Refusals of the catalog become sentences."""

    def work(session: Session) -> tuple[bool, int]:
        return change(session), service.product(session, product_id).stock

    with one_session(of_process("catalog").catalog_database_url) as session:
        try:
            return in_transaction(session, work)
        except ProductNotFound as error:
            raise click.ClickException(f"product {product_id} does not exist{if_unknown}") from error
        except ProductExists as error:
            problem = f"product {product_id} exists already. Leave out --name and --unit-price"
            raise click.ClickException(problem) from error
        except SupplyDiffers as error:
            problem = (
                f"this note was used before, for {error.qty} pieces and not {qty}."
                " Use another --note for another delivery or correction"
            )
            raise click.ClickException(problem) from error
        except NotInStock as error:
            problem = (
                f"{product_id} cannot be corrected by {qty}: {error.stock} in stock, {error.reserved}"
                " reserved for orders. Reserved pieces can be taken only after their orders are cancelled"
            )
            raise click.ClickException(problem) from error
        except StockTooLarge as error:
            problem = f"the stock of {product_id} would be {error.stock}; it can be at most {INT_MAX}"
            raise click.ClickException(problem) from error


def _row(found: Balance) -> tuple[object, ...]:
    numbers = (found.unit_price, found.stock, found.reserved, found.supplied)
    return (found.product_id, short(found.product_name), *numbers, _sign(found.surplus))


def _sign(surplus: int) -> str:
    if not surplus:
        return ""
    return f"✘ {-surplus} missing" if surplus < 0 else f"✘ {surplus} too many"


def _as_json(found: Balance) -> dict[str, Any]:
    return {
        "productId": found.product_id,
        "productName": found.product_name,
        "unitPrice": found.unit_price,
        "stock": found.stock,
        "reserved": found.reserved,
        "supplied": found.supplied,
        "addsUp": found.surplus == 0,
    }
