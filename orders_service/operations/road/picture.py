"""The picture: everything that `/admin/road` shows, as JSON."""

from datetime import UTC, datetime
from typing import Any

from orders_service import __version__
from orders_service.operations.road.event_tables import EventTables
from orders_service.operations.road.headline import headline
from orders_service.operations.road.judgement import Judge
from orders_service.operations.road.orders import RECENT_SECONDS
from orders_service.operations.road.readings import Readings
from orders_service.operations.road.station import tenths
from orders_service.orders.order import Status
from orders_service.port import base_url
from orders_service.settings import Settings

Json = dict[str, Any]


def picture(judge: Judge, readings: Readings, *, at: float, now: datetime, practice: bool) -> Json:
    """What the page and `top` draw. *at* is of the reader's monotonic clock, *now* in UTC."""
    stations = judge.stations(readings, at)
    return {
        "at": instant(now),
        "service": _service(judge.settings, practice=practice),
        "headline": headline(stations, readings),
        "stations": [station.as_json() for station in stations],
        "answers": _answers(readings, now),
        "recent": _recent(readings),
        "stock": _stock(readings),
        "deadLetters": _letters(readings),
    }


def instant(value: datetime) -> str:
    """A time in JSON, in UTC with microseconds."""
    return value.isoformat(timespec="microseconds")


def instant_of_record(milliseconds: int) -> str | None:
    """The time of a record in JSON; None if its producer gave none that a calendar has."""
    try:
        return instant(datetime.fromtimestamp(milliseconds / 1000, UTC)) if milliseconds >= 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def _service(settings: Settings, *, practice: bool) -> Json:
    is_sqlite = settings.orders_database_url.startswith("sqlite")
    return {
        "version": __version__,
        "address": base_url(settings.api_host, settings.api_port).removeprefix("http://"),
        "broker": settings.broker,
        "database": "SQLite" if is_sqlite else "MariaDB",
        "eventsVia": settings.events_via,
        "practice": practice,
        "authMode": settings.auth_mode,
    }


def _answers(readings: Readings, now: datetime) -> Json | None:
    orders = readings.orders
    if orders is None:
        return None
    answers = orders.answers
    return {
        "medianMs": _milliseconds(answers.median_seconds) if answers else None,
        "p99Ms": _milliseconds(answers.p99_seconds) if answers else None,
        "measured": answers.measured if answers else 0,
        "secondsSinceLast": max(0.0, round((now - answers.last).total_seconds(), 1)) if answers else None,
        "waiting": orders.pending,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else tenths(seconds * 1000)


def _recent(readings: Readings) -> Json | None:
    if readings.orders is None:
        return None
    seconds = readings.orders.recent
    sums = {status.lower(): sum(counts.get(status, 0) for _, counts in seconds) for status in Status}
    return {
        "seconds": RECENT_SECONDS,
        "placed": sum(sums.values()),
        **sums,
        "bySecond": [
            {"at": instant(second)} | {status.lower(): counts.get(status, 0) for status in Status}
            for second, counts in seconds
        ],
    }


def _stock(readings: Readings) -> Json | None:
    stock = readings.stock
    if stock is None:
        return None
    return {
        "stock": stock.stock,
        "reserved": stock.reserved,
        "supplied": stock.supplied,
        "products": stock.products,
        "wrongProducts": stock.wrong,
        "addsUp": not stock.wrong,
        "checkedAt": instant(stock.at),
    }


def _letters(readings: Readings) -> Json | None:
    tables: list[EventTables | None] = [readings.orders.events if readings.orders else None, readings.catalog]
    if None in tables:
        return None
    letters = [events.letters for events in tables if events]
    return {
        "waiting": sum(each.waiting for each in letters),
        "onHold": sum(each.on_hold for each in letters),
    }
