"""Judges a relay: events that are pending, and nobody who holds the right to send them."""

from datetime import timedelta

from orders_service.operations.journey.spans import span
from orders_service.operations.road.event_tables import EventTables
from orders_service.operations.road.station import Trouble, counted

PENDING_SECONDS = 2.0  # A relay takes a lease within milliseconds of an event.


def unheld(events: EventTables) -> list[str]:
    """The topics whose events have waited for some time while no relay holds their lease."""
    held = {lease.lane for lease in events.held}
    return [
        lane.topic
        for lane in events.lanes
        if lane.oldest_seconds > PENDING_SECONDS and lane.topic not in held
    ]


def holder(events: EventTables) -> tuple[str | None, str | None]:
    """Who holds the leases, as `host:process`, and for how long still.

    None if nothing waits and nobody needs a lease; an idle relay renews none.
    """
    if not events.held:
        return ("nobody", None) if unheld(events) else (None, None)
    owners = sorted({":".join(lease.owner.split(":")[:-1]) or lease.owner for lease in events.held})
    seconds = min(lease.seconds for lease in events.held)
    name = owners[0] if len(owners) == 1 else f"{len(owners)} relays"
    return name, f"for {max(0.0, seconds):.1f} s more"


def stopped_relay(command: str, events: EventTables) -> Trouble | None:
    """The words about a relay that does not send, with the *command* that starts it; None if one sends."""
    topics = unheld(events)
    if not topics:
        return None
    waits = "waits" if events.pending == 1 else "wait"
    return Trouble(
        title=f"{counted(events.pending, 'event')} {waits} for the {command}",
        detail=f"No relay sends the events of {' and '.join(topics)}, and the oldest one has waited for"
        f" {span(timedelta(seconds=events.oldest_seconds or 0.0))}. Orders are still taken and stay PENDING;"
        " nothing is lost. The relay sends the events in order when it is back.",
        command=f"orders-service {command}",
        advice="If it ends with exit code 3, its last line says what to look at.",
    )
