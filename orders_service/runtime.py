"""Monotonic time, sleep and randomness of this process. The simulation (`rig/simulation`) replaces them."""

import random
import time
from collections.abc import Callable

from uuid_utils import UUID
from uuid_utils import uuid4 as random_uuid

monotonic: Callable[[], float] = time.monotonic
uniform: Callable[[float, float], float] = random.uniform
uuid4: Callable[[], UUID] = random_uuid


def sleep(seconds: float) -> None:
    """Pause this thread, or this greenlet: gevent replaces `time.sleep` after this module is imported."""
    time.sleep(seconds)
