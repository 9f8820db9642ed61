"""The course's laboratory: real Kafka, real MariaDB, on this machine, without Docker. Never installed."""

from .errors import LabError
from .laboratory import Lab
from .ports import Ports

__all__ = ["Lab", "LabError", "Ports"]
