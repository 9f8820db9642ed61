"""The compose file, and the lines of each service in it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docker/compose.yaml").read_text()
# The lines of each service in the compose file.
SERVICES = dict(
    re.findall(
        r"^  ([a-z][\w-]*):(?: &[\w-]+)?\n((?:    .*\n|\n)+)",
        COMPOSE.partition("\nservices:\n")[2].partition("\nnetworks:\n")[0],
        re.MULTILINE,
    )
)
# The services of the profile `observability`.
OBSERVERS = [name for name, block in SERVICES.items() if "profiles: [observability]" in block]
