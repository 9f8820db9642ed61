"""A Galera cluster: three MariaDB nodes with the same data, and a proxy that leads clients to one of them."""

from .cluster import Cluster
from .node import Node

__all__ = ["Cluster", "Node"]
