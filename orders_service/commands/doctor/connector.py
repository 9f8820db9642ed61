"""The check of Debezium's outbox connector, for EVENTS_VIA=cdc."""

from orders_service.commands.connectors.rest import Connect, ConnectError
from orders_service.commands.doctor.finding import Finding, away, fine, wrong

CONNECTOR = "outbox-source"


def check_connector(url: str) -> Finding:
    """Whether the connector and its task run in the Kafka Connect at *url*."""
    connect = Connect(url)
    try:
        states = connect.states(CONNECTOR) if CONNECTOR in connect.names() else []
    except ConnectError as error:
        return away(error.message, "check that Kafka Connect runs and that CONNECT_URL is correct")
    if not states:
        return wrong(
            f"Kafka Connect has no connector {CONNECTOR}", f"orders-service connectors apply {CONNECTOR}"
        )
    idle = [f"{part} {state} {cause}".strip() for part, state, cause in states if state != "RUNNING"]
    if states[0][1] in ("PAUSED", "STOPPED"):
        return wrong(", ".join(idle), f"curl --request PUT {url}/connectors/{CONNECTOR}/resume")
    if idle or len(states) == 1:
        return wrong(
            ", ".join(idle) or "the connector has no task", f"orders-service connectors restart {CONNECTOR}"
        )
    return fine("RUNNING")
