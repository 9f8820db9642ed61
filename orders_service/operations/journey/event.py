"""One event of an order, and the entries of its way."""

from dataclasses import dataclass, field

from orders_service.operations.journey.entry import Entry
from orders_service.operations.journey.log import InLog
from orders_service.operations.journey.stored import CANCELLED


@dataclass(frozen=True)
class Event:
    """One event of the order: its type, its *cause*, and where it is recorded and by whom it is sent."""

    type: str
    cause: Entry
    log: InLog
    database: str
    effect: str  # What a repeat of it changes: nothing.

    @property
    def is_answer(self) -> bool:
        return self.database == "catalog"

    @property
    def sender(self) -> str:
        """The relay that sends it."""
        return f"{self.database}-relay"

    @property
    def recorded(self) -> str:
        """The title of its row in the outbox."""
        if self.type == CANCELLED:
            return "Cancellation recorded"
        return "Answer recorded" if self.is_answer else "Recorded"

    @property
    def in_log(self) -> str:
        """The title of its record in the log."""
        if self.type == CANCELLED:
            return "Cancellation in the log"
        return "Answer in the log" if self.is_answer else "In the log"


@dataclass
class Way:
    """The entries of one event. *arrived* is the first one in the log, if there is any."""

    entries: list[Entry] = field(default_factory=list)
    arrived: Entry | None = None
    is_stopped: bool = False  # It has not been sent yet, or it was set aside: nothing can have followed.

    @property
    def last(self) -> Entry:
        """The entry that causes what follows."""
        return self.arrived or self.entries[-1]
