"""`toril top`: queues live on a terminal, with keys to steer them."""

from .command import top

__all__ = ["top"]
