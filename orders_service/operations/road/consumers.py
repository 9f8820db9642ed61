"""Judges a consumer: records that wait, and a group that does not read them."""

from orders_service.operations.road.history import Progress
from orders_service.operations.road.log import GroupReading
from orders_service.operations.road.station import Trouble, counted, ranges

STILL_SECONDS = 3.0  # A group without a member that has read nothing for so long is stopped.
# A member that has read nothing for so long is frozen, or fails in each step. A rebalance takes less.
FROZEN_SECONDS = 20.0


def is_stopped(group: GroupReading, progress: Progress, waited: float | None = None) -> bool:
    """Whether records wait and nobody reads them. A consumer that starts again needs a moment.

    A group that is known to have no member is stopped at the first look, if even the newest order that
    waits has *waited* for long enough: each process of the API looks for itself.
    """
    if group.lag == 0:
        return False
    if group.members:
        return progress.still_seconds > FROZEN_SECONDS
    known = waited or 0.0 if group.members is not None else 0.0
    return max(progress.still_seconds, known) > STILL_SECONDS


def waiting_orders(group: GroupReading, pending: int) -> str:
    """The title of a trouble with the stock. The records are of orders, of cancellations and of repeats."""
    orders = min(group.lag, pending)
    what = counted(orders, "order") if orders else counted(group.lag, "record", most=None)
    return f"{what} {'waits' if (orders or group.lag) == 1 else 'wait'} for the catalog"


def waiting_answers(group: GroupReading) -> str:
    """The title of a trouble with the answers."""
    what = counted(group.lag, "answer", most=None)
    return f"{what} {'waits' if group.lag == 1 else 'wait'} for the status-consumer"


def holder(group: GroupReading, *, is_stopped: bool) -> tuple[str | None, str | None]:
    """The members of the group, and their partitions. None if the broker cannot tell."""
    if group.members is None:
        return ("nobody" if is_stopped else None), None
    if not group.members:
        return "nobody", None
    parts = [ranges([number for _, number in member.places]) for member in group.members]
    detail = " and ".join(part for part in parts if part) or None
    if len(group.members) == 1:
        return group.members[0].name, detail
    return f"{len(group.members)} consumers", detail


def stopped_consumer(command: str, title: str, group: GroupReading, progress: Progress) -> Trouble:
    """The words about a consumer that does not read. *title* says what waits."""
    if group.members:
        cause = (
            f"The consumer group {group.name} has a consumer, which has read nothing for"
            f" {progress.still_seconds:.0f} s."
        )
    elif progress.unmanned_seconds is not None:
        cause = f"The consumer group {group.name} has had no consumer for {progress.unmanned_seconds:.0f} s."
    elif group.members is None:
        cause = f"The consumer group {group.name} has read nothing for {progress.still_seconds:.0f} s."
    else:
        cause = f"The consumer group {group.name} has no consumer."
    return Trouble(
        title=title,
        detail=f"{cause} Orders are still taken and stay PENDING; nothing is lost. They are answered in"
        " order when a consumer is back.",
        command=f"orders-service {command}",
        advice="If it ends with exit code 3, its last line says what to look at.",
    )
