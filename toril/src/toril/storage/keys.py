"""The only module that spells a key. All keys of a queue share its prefix, as BullMQ has them."""

from __future__ import annotations

import base64

from ..errors import InvalidOption
from ..options import valid_text

LOCK_SUFFIX = b":lock"
"""What the key of a running job's lock ends with."""


class Keys:
    """The keys of one queue: `<prefix>:<queue>:<part>`.

    Raises:
        InvalidOption: the name is empty or contains `:`, which BullMQ forbids too.
    """

    __slots__ = (
        "active",
        "all",
        "base",
        "beats",
        "cancels",
        "cards",
        "client",
        "clock",
        "completed",
        "delayed",
        "events",
        "failed",
        "history",
        "id",
        "limiter",
        "marker",
        "meta",
        "paused",
        "pc",
        "prioritized",
        "qualified",
        "repeat",
        "retention",
        "stalled",
        "stalled_check",
        "wait",
        "waiting_children",
    )

    def __init__(self, queue: str, prefix: str = "bull") -> None:
        valid_text(queue, "a queue's name")
        if ":" in queue:
            raise InvalidOption(f"a queue's name must not contain ':' ({queue})")
        valid_text(prefix, "the prefix of the keys")
        self.qualified = f"{prefix}:{queue}"
        base = self.base = f"{self.qualified}:"
        self.wait = base + "wait"
        self.active = base + "active"
        self.paused = base + "paused"
        self.prioritized = base + "prioritized"
        self.delayed = base + "delayed"
        self.completed = base + "completed"
        self.failed = base + "failed"
        self.waiting_children = base + "waiting-children"
        self.events = base + "events"
        self.stalled = base + "stalled"
        self.stalled_check = base + "stalled-check"
        self.limiter = base + "limiter"
        self.meta = base + "meta"
        self.pc = base + "pc"
        self.id = base + "id"
        self.marker = base + "marker"
        self.repeat = base + "repeat"
        self.retention = base + "toril:retention"
        self.cancels = base + "toril:cancels"
        self.beats = base + "toril:beats"
        self.cards = base + "toril:workers"
        self.clock = base + "toril:clock"
        self.history = base + "toril:history"
        self.client = f"{prefix}:{base64.b64encode(queue.encode()).decode()}"
        """What the names of a queue's connections begin with, by which BullMQ finds its workers."""
        self.all: tuple[str, ...] = (
            self.wait,
            self.active,
            self.prioritized,
            self.delayed,
            self.completed,
            self.failed,
            self.events,
            self.meta,
            self.marker,
            self.pc,
            self.id,
            self.stalled,
            self.stalled_check,
            self.repeat,
            self.limiter,
            self.paused,
            self.waiting_children,
            self.retention,
            self.cancels,
        )
        """What every script is given, in the order of lua/include/keys.lua."""

    def job(self, job_id: str) -> str:
        """The hash of one job."""
        return self.base + job_id

    def logs(self, job_id: str) -> str:
        """The list of one job's log lines."""
        return f"{self.base}{job_id}:logs"

    def deduplication(self, key: str) -> str:
        """The id of the job that holds one deduplication key."""
        return f"{self.base}de:{key}"

    def dependencies(self, job_id: str) -> str:
        """The set of the keys of the children that one job waits for."""
        return f"{self.base}{job_id}:dependencies"

    def scheduler(self, scheduler_id: str) -> str:
        """The hash of one job scheduler."""
        return f"{self.repeat}:{scheduler_id}"
