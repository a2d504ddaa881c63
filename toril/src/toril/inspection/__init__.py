"""Looking into queues: what a user asks of them, read from the server and judged."""

from .explain import explain
from .explanation import Explanation, Reason, ReasonKind

__all__ = ["Explanation", "Reason", "ReasonKind", "explain"]
