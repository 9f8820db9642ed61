"""The facts of an order, which its request, its row, its order events and its responses have in common.

To add a fact, write it here, in the request's schema, in the table, in a migration, in the sink's table
(`config/mydb.sql`) and in `docs/events.md`; `docs/extending.md` shows how. All else is derived from these
`OrderFacts`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from orders_service.contract.errors import Unreadable
from orders_service.contract.fields import Data, integer, text
from orders_service.contract.limits import INT_MAX, TEXT_MAX


@dataclass(frozen=True, kw_only=True)
class OrderFacts:
    """An order's product, quantity, prices, id and user. Other producers may leave optional facts out."""

    product_id: str
    qty: int
    unit_price: int | None = None
    total_price: int | None = None
    order_id: str
    user_id: str | None = None


def camel_case(name: str) -> str:
    """The JSON name of a fact: `unitPrice` for `unit_price`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


FACTS = {field.name: field.type for field in fields(OrderFacts)}
assert set(FACTS.values()) <= {int, str, int | None, str | None}, "a fact is an integer or a text"
JSON_NAMES = tuple(map(camel_case, FACTS))
values_of: Callable[[Any], tuple[Any, ...]] = attrgetter(*FACTS)
"""The facts of an event, a table row or a request, as a tuple in the order of `FACTS`."""


def is_number(name: str) -> bool:
    """Whether a fact is an integer; otherwise it is a text."""
    return FACTS[name] in (int, int | None)


def as_json_dict(order: Any) -> dict[str, Any]:
    """The facts of an order by their JSON names."""
    return dict(zip(JSON_NAMES, values_of(order), strict=True))


def as_dict(order: Any) -> dict[str, Any]:
    """The facts of an order by their names in Python and in the tables."""
    return dict(zip(FACTS, values_of(order), strict=True))


def read_optional(data: Data) -> dict[str, Any]:
    """Read the optional facts: a missing or a wrong one is None. Only CATALOG_CHECK_PRICE needs the price."""
    found: dict[str, Any] = {}
    for name, json_name, read, bounds in OPTIONAL:
        try:
            found[name] = read(data, json_name, *bounds)
        except Unreadable:
            found[name] = None
    return found


# The name, the JSON name, the function that reads it, and its bounds. Built once, because it is used for
# every record.
OPTIONAL: tuple[tuple[str, str, Callable[..., Any], tuple[int, ...]], ...] = tuple(
    (field.name, camel_case(field.name), integer, (0, INT_MAX))
    if is_number(field.name)
    else (field.name, camel_case(field.name), text, (TEXT_MAX,))
    for field in fields(OrderFacts)
    if field.default is None
)
