"""The prepared demonstrations of ./lab play --script, by name."""

from __future__ import annotations

from ..show import Script
from .cart import CART
from .handoff import HANDOFF
from .join import JOIN
from .partition import PARTITION
from .sync import SYNC

SCRIPTS: dict[str, Script] = {
    "handoff": HANDOFF,
    "cart": CART,
    "sync": SYNC,
    "join": JOIN,
    "partition": PARTITION,
}
