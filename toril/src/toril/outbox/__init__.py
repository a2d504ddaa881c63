"""Transactional enqueue on PostgreSQL (extra: toril[outbox]).

Jobs are written to a table in the caller's own transaction; a relay moves committed rows to the
server. A job's id is its row's id, so a row that was sent twice is still one job.
"""

from .lag import Backlog, backlog
from .relay import OutboxRelay
from .table import CHANNEL, outbox_table
from .writing import Executor, SyncExecutor, enqueue, enqueue_sync

__all__ = [
    "CHANNEL",
    "Backlog",
    "Executor",
    "OutboxRelay",
    "SyncExecutor",
    "backlog",
    "enqueue",
    "enqueue_sync",
    "outbox_table",
]
