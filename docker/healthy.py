"""Is this container's process alive? Exit code 0 or 1; asked by Docker, for every word alike.

An `api` must answer `/livez`. A worker is not asked, although METRICS_PORT would answer: its watchdog ends it
when a step hangs for two minutes, so as long as process 1 is there and runs, it turns its steps. A worker
that only waits for MariaDB or Kafka is healthy: a new one would wait, too.
"""

import http.client
import os
import sys
from pathlib import Path

SECONDS = 3
RUNNING = frozenset("RSD")  # Not stopped, not a zombie.


def main() -> None:
    """Say what is wrong and exit with 1, or say nothing."""
    word = _word(Path("/proc/1/cmdline").read_bytes().decode().split("\0"))
    if word is None:
        sys.exit("process 1 is not orders-service")
    state = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[0]
    if state not in RUNNING:
        sys.exit(f"process 1 is in state {state}")
    if word == "api":
        _ask(int(os.environ.get("API_PORT") or 8000))


def _word(command: list[str]) -> str | None:
    """The first word after the program, as in `/app/bin/python /app/bin/orders-service api`."""
    names = [Path(part).name for part in command]
    if "orders-service" not in names[:-1]:
        return None
    return command[names.index("orders-service") + 1]


def _ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"/livez: {error}")
    if status != 200:
        sys.exit(f"/livez: {status}")


if __name__ == "__main__":
    main()
