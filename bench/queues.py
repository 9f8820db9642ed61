"""A model of the queues between POST and answer: the response time at a part of the capacity.

Each process is a station of a tandem. It takes all orders that wait, up to a limit. It needs a core for a
time that grows with their number, and then a time without a core, in which a server or a disk works. A
station that finds no free core waits for one, in turn.
"""

import heapq
import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

BATCH_MAX = 500
WARM = 0.1  # The part of the orders that is not counted: at first all queues are empty.


@dataclass(frozen=True)
class Station:
    """A process: seconds without a core for a batch, and of a core for each order; the largest batch."""

    batch: float
    order: float
    most: int = BATCH_MAX


class Tandem:
    """The stations that an order passes, one after the other, on shared cores."""

    def __init__(self, stations: Sequence[Station], *, cores: int) -> None:
        self._stations = stations
        self._waiting = [deque[float]() for _ in stations]  # When each order arrived that waits there.
        self._is_busy = [False] * len(stations)
        self._in_turn = deque[int]()  # The stations that wait for a core.
        self._free = cores
        # Each event has a time, a number, a station and its finished orders, or None if it only frees a core.
        self._events: list[tuple[float, int, int, list[float] | None]] = []
        self._numbers = count()

    def response_times(self, arrivals: Iterable[float]) -> list[float]:
        """The seconds from the arrival of each order to the end of its last station."""
        found, coming = [], deque(arrivals)
        while coming or self._events:
            if coming and not (self._events and self._events[0][0] <= coming[0]):
                now = coming[0]
                while coming and coming[0] == now:
                    self._bring(0, [coming.popleft()])
            else:
                now, _, station, orders = heapq.heappop(self._events)
                found += [now - arrived for arrived in self._end(station, orders)]
            self._begin(now)
        return found

    def _bring(self, station: int, orders: Sequence[float]) -> None:
        self._waiting[station].extend(orders)
        if self._waiting[station] and not self._is_busy[station]:
            self._is_busy[station] = True
            self._in_turn.append(station)

    def _end(self, station: int, orders: list[float] | None) -> list[float]:
        """End a batch, or only its time on a core; the orders that have passed all stations."""
        if orders is None:
            self._free += 1
            return []
        self._is_busy[station] = False
        self._bring(station, [])
        if station + 1 == len(self._stations):
            return orders
        self._bring(station + 1, orders)
        return []

    def _begin(self, now: float) -> None:
        while self._free and self._in_turn:
            self._free -= 1
            number = self._in_turn.popleft()
            station, waiting = self._stations[number], self._waiting[number]
            taken = [waiting.popleft() for _ in range(min(len(waiting), station.most))]
            worked = now + station.order * len(taken)
            heapq.heappush(self._events, (worked, next(self._numbers), number, None))
            heapq.heappush(self._events, (worked + station.batch, next(self._numbers), number, taken))


def arrivals(rate: float, orders: int, *, together: int, chance: random.Random) -> Iterator[float]:
    """The times at which so many orders come, *together* of them at a time, at random moments."""
    now = 0.0
    for _ in range(orders // together):
        now += chance.expovariate(rate / together)
        for _ in range(together):
            yield now


def counted(found: Sequence[float]) -> Sequence[float]:
    """Without the first ones, which found no queue."""
    return found[int(len(found) * WARM) :]
