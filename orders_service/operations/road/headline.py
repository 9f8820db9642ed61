"""The headline: the state of the road in words, with the remedy."""

from collections.abc import Sequence
from typing import Any

from orders_service.operations.road.readings import Readings
from orders_service.operations.road.station import Station, Trouble, counted

TROUBLE, WELL = "trouble", "well"
HUNDRED = 100


def headline(stations: Sequence[Station], readings: Readings) -> dict[str, Any]:
    """The first station that is in trouble, else what waits for a person, else that all is well."""
    troubles = [station.trouble for station in stations if station.trouble]
    if troubles:
        return _as_json(TROUBLE, troubles[0])
    if readings.stock and readings.stock.wrong:
        return _as_json(TROUBLE, _wrong_stock(readings.stock.wrong))
    waiting = _letters(readings)
    if waiting:
        return _as_json(TROUBLE, _waiting_letters(waiting))
    return _as_json(WELL, _calm(stations, readings))


def _as_json(level: str, words: Trouble) -> dict[str, Any]:
    return {
        "level": level,
        "title": words.title,
        "detail": words.detail,
        "command": words.command,
        "advice": words.advice,
    }


def _letters(readings: Readings) -> int:
    databases = [readings.orders.events if readings.orders else None, readings.catalog]
    return sum(events.letters.waiting for events in databases if events)


def _wrong_stock(products: int) -> Trouble:
    return Trouble(
        title=f"The stock of {counted(products, 'product')} does not add up",
        detail="stock + reserved is not what was supplied. Somebody has changed a table without the service.",
        command="orders-service doctor",
        advice="To correct a stock with a note, use: orders-service catalog correct",
    )


def _waiting_letters(count: int) -> Trouble:
    waits = "waits" if count == 1 else "wait"
    return Trouble(
        title=f"{counted(count, 'dead letter')} {waits} for a decision",
        detail="These records could not be read or applied. The other orders flow.",
        command="orders-service dead-letters list",
        advice="When the cause is mended, replay them; otherwise discard them with a note.",
    )


def _calm(stations: Sequence[Station], readings: Readings) -> Trouble:
    orders = readings.orders
    if orders is None or not orders.newest_id:
        return Trouble(
            title="No order yet",
            detail="Place one, and see it pass the five stations.",
            command="orders-service first-order",
        )
    rate = stations[0].per_second
    sentences = [f"{rate:,.1f} orders a second come in."] if rate else ["No order comes in now."]
    answers = orders.answers
    if answers and answers.median_seconds is not None and answers.p99_seconds is not None:
        sentences.append(answered(answers.measured, answers.median_seconds, answers.p99_seconds))
    return Trouble(title="Orders flow", detail=" ".join(sentences))


def answered(measured: int, median: float, most: float) -> str:
    """A sentence about the times to the answer of *measured* orders; shares only of a hundred or more."""
    if measured < HUNDRED:
        orders = "The newest order was" if measured == 1 else f"The newest {measured} orders were all"
        return f"{orders} answered within {milliseconds(most)}."
    return (
        f"Half of the newest {measured} orders were answered within {milliseconds(median)},"
        f" 99 of 100 within {milliseconds(most)}."
    )


def milliseconds(seconds: float) -> str:
    """A short time for people: `9 ms`, `1.4 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"
