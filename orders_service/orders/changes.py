"""The queries that find changed orders. Each reads a bounded number of rows, by an index."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, TextClause, or_, select, text

from orders_service.orders import queries
from orders_service.orders.order import Order

CHANGED_MAX = 250  # Rows that one look for changed orders returns. The next look returns others.
# MariaDB makes a subquery of a longer list, and may then read the whole table.
LIST_MAX = 500
NEWEST_MAX = 50  # So many of a user's newest orders are watched for that user.


def changed_query(known: Mapping[int, Sequence[str]]) -> Select[Any]:
    """A query for those orders whose version is not the one that is *known*: order ids by version."""
    lists = (
        (version, order_ids[start : start + LIST_MAX])
        for version, order_ids in known.items()
        for start in range(0, len(order_ids), LIST_MAX)
    )
    changed = (Order.order_id.in_(order_ids) & (Order.version != version) for version, order_ids in lists)
    return select(Order.__table__).where(or_(*changed)).limit(CHANGED_MAX)


def newest_query(user_id: str) -> Select[Any]:
    """A query for the customer's newest orders, newest first."""
    return queries.orders_query().params(user_id=user_id).order_by(Order.id.desc()).limit(NEWEST_MAX)


def activity_query(user_ids: Sequence[str]) -> tuple[TextClause, dict[str, str]]:
    """A query, and its parameters, for `place, ids, versions` of each user.

    *ids* and *versions* are sums over the user's newest orders: one of them differs if an order is new or has
    changed. *place* is the user's place in *user_ids*.
    """
    return _activity_text(len(user_ids)), {f"user{place}": user_id for place, user_id in enumerate(user_ids)}


@lru_cache(maxsize=128)
def _activity_text(users: int) -> TextClause:
    # One SELECT for each user: only a LIMIT of its own bounds the rows that are read for a user.
    return text(
        " UNION ALL ".join(
            f"SELECT {place} AS place, SUM(id) AS ids, SUM(version) AS versions FROM (SELECT id, version"
            f" FROM orders WHERE user_id = :user{place} ORDER BY id DESC LIMIT {NEWEST_MAX}) AS newest{place}"
            for place in range(users)
        )
    )
