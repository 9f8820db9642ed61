"""Step 1 of the practice: a topic, with Kafka's own tools."""

import queue
import time

from ..terminal import SECONDS, NotAsExpected, Terminal
from ..typed import lines_of

TOPIC = "quickstart-events"


def console(terminal: Terminal) -> None:
    """Step 1: a topic, with Kafka's own tools."""
    terminal.tool("kafka-topics", "--delete", "--if-exists", "--topic", TOPIC)
    names = terminal.tool("kafka-topics", "--list").split()
    terminal.see(f"no {TOPIC}; on a fresh Kafka no topic at all", f"{len(names)} topics", TOPIC not in names)
    terminal.tool("kafka-topics", "--create", "--topic", TOPIC, "--partitions", "1")
    names = terminal.tool("kafka-topics", "--list").split()
    terminal.see(TOPIC, next((name for name in names if name == TOPIC), "nothing"), TOPIC in names)
    described = terminal.tool("kafka-topics", "--describe", "--topic", TOPIC)
    count = "PartitionCount: 1"
    terminal.see(count, count if count in described else described, count in described)
    typed, came = _typed_until_seen(terminal)
    terminal.see("the consumer shows what is typed while it looks", came, came in typed)
    again = terminal.tool(
        "kafka-console-consumer",
        "--topic",
        TOPIC,
        "--from-beginning",
        "--max-messages",
        str(len(typed)),
        "--timeout-ms",
        "30000",
    ).splitlines()
    terminal.see(
        "with --from-beginning every line again", f"{len(again)} of {len(typed)} lines", again == typed
    )


def _typed_until_seen(terminal: Terminal) -> tuple[list[str], str]:
    """Type a line each second until the consumer prints one: its start cannot be seen from outside."""
    consumer = ["kafka-console-consumer", "--topic", TOPIC, "--max-messages", "1"]
    producer = ["kafka-console-producer", "--topic", TOPIC]
    typed: list[str] = []
    with terminal.open(*consumer) as reading, terminal.open(*producer) as writing:
        lines = lines_of(reading.stdout)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            typed.append(f"Hello, Kafka {len(typed) + 1}")
            terminal.say(f"  > {typed[-1]}")
            print(typed[-1], file=writing.stdin, flush=True)
            try:
                came = lines.get(timeout=1)
            except queue.Empty:
                continue
            assert writing.stdin is not None
            writing.stdin.close()
            writing.wait(SECONDS)  # The producer sends all its lines before it ends.
            return typed, came
    raise NotAsExpected(f"the console consumer showed nothing of {len(typed)} lines typed")
