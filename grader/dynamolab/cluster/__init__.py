"""Real clusters on this machine: nodes in processes of their own, a faulty network between them."""

from . import words
from .client import Answer, NodeClient
from .cluster import Cluster, listed, names_of
from .errors import ClusterTrouble, NodeDied, NodeSilent, WaitExpired
from .process import State
from .waiting import wait_for

__all__ = [
    "Answer",
    "Cluster",
    "ClusterTrouble",
    "NodeClient",
    "NodeDied",
    "NodeSilent",
    "State",
    "WaitExpired",
    "listed",
    "names_of",
    "wait_for",
    "words",
]
