"""The reasons of a rejection, in words for people. The page has the same words (`ui/assets/words.js`)."""

from orders_service.contract.events import Reason
from orders_service.printable import printable

WORDS: dict[str, str] = {
    Reason.UNKNOWN_PRODUCT: "the catalog has no such product",
    Reason.INSUFFICIENT_STOCK: "not enough in stock",
    Reason.PRICE_DIFFERS: "the catalog has another price",
    Reason.DISCARDED: "an operator gave it up",
    Reason.INVALID_ORDER: "the order could not be read",
}


def in_words(reason: str | None) -> str:
    """The *reason* with its code: `not enough in stock (insufficient-stock)`."""
    if not reason:
        return "no reason"
    words = WORDS.get(reason)
    return f"{words} ({reason})" if words else printable(reason)
