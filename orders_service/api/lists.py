"""The query parameters of lists, and the answer of every list: a page, and the URL of the next one."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, current_app, request
from marshmallow import ValidationError
from sqlalchemy import ColumnElement, Select

from orders_service.api.database import db
from orders_service.api.errors import InvalidFields, UnknownAfter
from orders_service.api.pages import Listing, ToJson
from orders_service.api.requests import KeyText
from orders_service.api.scan import Scan
from orders_service.catalog.errors import ProductNotFound
from orders_service.contract.limits import PRODUCT_ID_MAX, USER_ID_MAX
from orders_service.database.columns import utc_now
from orders_service.orders import queries
from orders_service.orders.errors import OrderNotFound
from orders_service.orders.order import Order, Status
from orders_service.orders.queries import OrderFilter

# RFC 3339, whose section 5.6 allows any number of decimals. We store six.
INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
FIRST_YEAR = 1970
NEWEST, OLDEST = "newest", "oldest"
ORDERS = {"asc": False, "desc": True, OLDEST: False, NEWEST: True}  # True: from the newest row.


def up_to(most: int) -> Callable[[str], int]:
    """A reader of a limit that is at most *most*."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= most:
            raise ValidationError(f"must be a whole number from 1 to {most}")
        return int(text)

    return read


def _limit(text: str) -> int:
    return up_to(current_app.config["SETTINGS"].api_list_max)(text)


def _descending(text: str) -> bool:
    if text not in ORDERS:
        raise ValidationError(f"must be {' or '.join(ORDERS)}")
    return ORDERS[text]


def _statuses(text: str) -> frozenset[Status]:
    names = text.split(",")
    if not set(names) <= set(Status):
        raise ValidationError(f"must be one or more of {', '.join(Status)}, separated by commas")
    return frozenset(map(Status, names))


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """A reader of a parameter that has one of these values."""

    def read(text: str) -> str:
        if text not in names:
            raise ValidationError(f"must be one of {', '.join(names)}")
        return text

    return read


def _age(text: str) -> timedelta:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValidationError("must be a whole number of seconds, from 0 to 999999999")
    return timedelta(seconds=int(text))


def _instant(text: str) -> datetime:
    if INSTANT.fullmatch(text):
        try:
            instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        else:
            if instant.year >= FIRST_YEAR:
                return instant
    raise ValidationError(
        f"must be an instant from the year {FIRST_YEAR} on, such as 2026-11-24T07:06:15Z or"
        " 2026-11-24T07:06:15.292%2B00:00 (in a URL, + is written as %2B)"
    )


# The parameters of a list, each with the function that reads its value.
Readers = dict[str, Callable[[str], Any]]
PAGE: Readers = {"limit": _limit, "after": str, "order": _descending}
ORDER_FILTERS: Readers = {
    "status": _statuses,
    "productId": KeyText(PRODUCT_ID_MAX).deserialize,
    "createdAfter": _instant,
    "createdBefore": _instant,
}
OPERATOR_FILTERS: Readers = {
    "status": _statuses,
    "productId": KeyText(PRODUCT_ID_MAX).deserialize,
    "userId": KeyText(USER_ID_MAX).deserialize,
    "placedAfter": _instant,
    "placedBefore": _instant,
    "olderThan": _age,
}


def load_order_filter() -> OrderFilter:
    """The filters in the request's query; raises `InvalidFields` for all parameters that are wrong."""
    values = load(PAGE | ORDER_FILTERS)
    return _order_filter(values, values.get("status", ()), "createdAfter", "createdBefore")


def load_operator_filter() -> tuple[Select[Any], Sequence[ColumnElement[bool]], Mapping[str, Any]]:
    """The query for the orders that the request asks for, other conditions, and the values of the query.

    An index serves the query, but not the conditions.
    Without a status these are the PENDING orders; with `order=newest` or `order=oldest`, those of any status.
    """
    values = load(PAGE | OPERATOR_FILTERS)
    everything = request.args.get("order") in (NEWEST, OLDEST)
    statuses = values.get("status", () if everything else (Status.PENDING,))
    only = _order_filter(values, statuses, "placedAfter", "placedBefore")
    conditions = []
    if "olderThan" in values:
        conditions.append(Order.created_at <= utc_now() - values["olderThan"])
    if "userId" in values:
        return queries.orders_query(), [*only.conditions, *conditions], {"user_id": values["userId"]}
    if len(statuses) == 1:
        (status,) = statuses
        return queries.with_status_query(status), [*replace(only, statuses=()).conditions, *conditions], {}
    return queries.every_order_query(), [*only.conditions, *conditions], {}


def _order_filter(
    values: Mapping[str, Any], statuses: Collection[Status], after: str, before: str
) -> OrderFilter:
    """The filter of *values*; *after* and *before* are the names of the parameters for the time."""
    begin, end = values.get(after), values.get(before)
    if begin and end and begin >= end:
        raise InvalidFields({before: f"must be later than {after}"}, in_body=False)
    return OrderFilter(
        statuses=statuses,
        product_id=values.get("productId"),
        created_after=begin,
        created_before=end,
    )


def page_of(scan: Scan, to_json: ToJson, *, path: str, key: str, find: Callable[[str], Any]) -> Response:
    """The page of *scan* that the request asks for.

    *path* is the path of the list, *key* the column of a row's id, and *find* returns the row with an id.
    """
    page = load(PAGE)
    limit = page.get("limit", current_app.config["SETTINGS"].api_list_max)
    kept = {name: value for name, value in request.args.items() if name not in ("limit", "after")}

    def link(row: Any) -> str:
        following = kept | {"limit": limit, "after": getattr(row, key)}
        return f"{path}?{urlencode(following, quote_via=quote, safe='')}"

    listing = Listing(replace(scan, descending=page.get("order", False)), to_json)
    start = None
    if "after" in page:
        if found := listing.page_behind(page["after"], limit=limit, link=link):
            return found
        try:
            start = find(page["after"]).id
        except (OrderNotFound, ProductNotFound) as error:
            raise UnknownAfter(page["after"]) from error
        db.session.close()  # `Listing` opens its own connections, and may wait for its turn.
    return listing.page(after=start, limit=limit, link=link)


def load(readers: Readers) -> dict[str, Any]:
    """The values of those parameters that the request has; raises `InvalidFields`."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, read in readers.items():
        if name in request.args:
            try:
                values[name] = read(request.args[name])
            except ValidationError as error:
                errors[name] = str(error.messages[0])
    if errors:
        raise InvalidFields(errors, in_body=False)
    return values
