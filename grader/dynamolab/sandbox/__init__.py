"""Where untrusted code is built and run: behind what, seeing what, as whom.

Tier A is bubblewrap (namespaces of its own for each process that is started) around the launcher
(grader/sandbox); tier B the launcher alone, where namespaces are not allowed. Without a sandbox, ``None``
stands where a ``Sandbox`` could: everything is started as it is."""

from .probe import NAMES, choose
from .sandbox import Sandbox, Tier, hosts_in
from .slots import Slot
from .started import Started

__all__ = ["NAMES", "Sandbox", "Slot", "Started", "Tier", "choose", "hosts_in"]
