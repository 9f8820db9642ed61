"""A worker: an object with a step, which a loop calls again and again."""

from typing import Protocol


class Worker(Protocol):
    """An object with a step, which the loop calls again and again."""

    def step(self) -> bool:
        """Do one batch in one transaction; True to be called again at once."""

    def close(self) -> None:
        """Release all resources, such as connections and leases."""
