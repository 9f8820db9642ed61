"""One broker, before it starts."""

import base64
from pathlib import Path

from lab.broker import cluster_id


def test_a_cluster_id_is_sixteen_bytes_in_base64_and_never_like_an_option() -> None:
    """Kafka's own rule for it. `kafka-storage` refused the "-C8j…" that one folder of test data had once."""
    for number in range(1000):
        found = cluster_id(Path(f"/tmp/lab{number}"))
        assert len(base64.urlsafe_b64decode(found + "==")) == 16
        assert not found.startswith("-")
