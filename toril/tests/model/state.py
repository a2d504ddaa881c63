"""What a queue is made of, in plain Python: the states of the reference model.

Nothing here does I/O. Times are whole milliseconds. Lists are kept as the server has them: the last
job of `wait` runs next, and the newest of `active` stands first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PRIORITY_UNIT = 2**32
"""A prioritized job's score is its priority times this, plus a counter that keeps the order of adding."""
DUE_UNIT = 2**12
"""A delayed job's score is its time in ms times this, plus a counter within that millisecond."""

NO_MORE = 2**53 - 1
"""The count of a rate limit's window in which no job may start, whatever the limit."""


@dataclass
class Expiring:
    """A value with a time to live: until `expires` (ms), or for good if None."""

    value: str
    expires: int | None = None


@dataclass
class Job:
    """One job: its hash, its log, and what it knows of its children (by their keys)."""

    fields: dict[str, str]
    logs: list[str] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)
    processed: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    unsuccessful: dict[str, int] = field(default_factory=dict)

    @property
    def priority(self) -> int:
        return int(self.fields.get("priority", "0"))

    def put(self, **values: object) -> None:
        self.fields.update({name: str(value) for name, value in values.items()})

    def drop(self, *names: str) -> None:
        for name in names:
            self.fields.pop(name, None)


@dataclass
class Scheduler:
    """One job scheduler: its hash, and the time (ms) of its next job."""

    fields: dict[str, str]
    next_run: int


@dataclass
class Metrics:
    """Ends of one kind: how many so far, and in each minute that is over, the newest first."""

    count: int = 0
    since: int | None = None
    count_then: int = 0
    minutes: list[int] = field(default_factory=list)

    def add(self, ends: int, now: int, most: int) -> None:
        """Count some more ends; `most` is how many minutes are kept."""
        before = self.count
        self.count += ends
        if self.since is None:
            self.since = now
            return
        over = min(now // 60_000 - self.since // 60_000, most)
        if over > 0:
            self.minutes = ([0] * (over - 1) + [before - self.count_then] + self.minutes)[:most]
            self.since, self.count_then = now, before


class Queue:
    """The states of one queue. `base` is what its keys begin with, `<prefix>:<name>:`."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.counter = 0
        self.added_by_priority = 0
        self.jobs: dict[str, Job] = {}
        self.wait: list[str] = []
        self.active: list[str] = []
        self.prioritized: dict[str, int] = {}
        self.delayed: dict[str, int] = {}
        self.waiting_children: dict[str, int] = {}
        self.completed: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.stalled: set[str] = set()
        self.locks: dict[str, Expiring] = {}
        self.deduplication: dict[str, Expiring] = {}
        self.followers: dict[str, dict[str, str]] = {}
        self.limiter: Expiring | None = None
        self.stalled_check: Expiring | None = None
        self.meta: dict[str, str] = {}
        self.schedulers: dict[str, Scheduler] = {}
        self.schedulers_check: Expiring | None = None
        self.owners: dict[str, str] = {}
        self.releases: dict[str, str] = {}
        self.metrics = {"completed": Metrics(), "failed": Metrics()}
        self.retention: dict[str, str] = {}
        self.events: list[dict[str, str]] = []
        self.has_events = False
        self.cancels: list[dict[str, str]] = []
        self.has_cancels = False

    def emit(self, event: str, **fields: object) -> None:
        """Tell of something; `event` and its fields become one entry of the stream."""
        self.events.append({"event": event, **{name: str(value) for name, value in fields.items()}})
        self.has_events = True

    def limit_events(self) -> None:
        """Scripts that trim the stream write BullMQ's default length where none stands."""
        self.meta.setdefault("opts.maxLenEvents", "10000")

    @property
    def paused(self) -> bool:
        return "paused" in self.meta

    @property
    def room(self) -> int | None:
        """How many more jobs may be active; None without a limit."""
        limit = self.meta.get("concurrency")
        return None if limit is None else max(0, int(limit) - len(self.active))

    @property
    def rate(self) -> tuple[int, int] | None:
        """The rate limit: how many jobs may start within how many ms."""
        if "max" not in self.meta:
            return None
        return int(self.meta["max"]), int(self.meta["duration"])

    @property
    def next_due(self) -> int | None:
        """When the earliest delayed job is due."""
        return min(self.delayed.values()) // DUE_UNIT if self.delayed else None

    def in_order(self, scores: dict[str, int]) -> list[str]:
        """The members of a sorted set in its order: equal scores by their bytes."""
        return sorted(scores, key=lambda job_id: (scores[job_id], job_id.encode()))

    def place_waiting(
        self, job_id: str, priority: int, at_head: bool = False, *, first_of_priority: bool = False
    ) -> None:
        """Behind all that wait, before all of them, or by its priority."""
        low, high = priority * PRIORITY_UNIT, (priority + 1) * PRIORITY_UNIT - 1
        if priority > 0 and first_of_priority:
            same = [score for score in self.prioritized.values() if low <= score <= high]
            self.prioritized[job_id] = max(low, min(same) - 1) if same else low
        elif priority > 0:
            self.added_by_priority += 1
            self.prioritized[job_id] = low + self.added_by_priority % PRIORITY_UNIT
        elif at_head:
            self.wait.append(job_id)
        else:
            self.wait.insert(0, job_id)

    def place_delayed(self, job_id: str, due: int) -> None:
        """By its time, behind those of the same millisecond."""
        low, high = due * DUE_UNIT, (due + 1) * DUE_UNIT - 1
        same = [score for score in self.delayed.values() if low <= score <= high]
        self.delayed[job_id] = min(max(same) + 1, high) if same else low
        self.emit("delayed", jobId=job_id, delay=due)

    def place_new(self, job_id: str, now: int, delay: int, priority: int, lifo: bool) -> None:
        if delay > 0:
            self.place_delayed(job_id, now + delay)
        else:
            self.place_waiting(job_id, priority, lifo)
            self.emit("waiting", jobId=job_id)

    def could_start(self, now: int) -> bool:
        """Whether a worker that asked now would get a job."""
        due = self.next_due
        some = bool(self.wait or self.prioritized) or (due is not None and due <= now)
        return some and not self.paused and self.room != 0 and not self.limited(self.rate)

    def limited(self, rate: tuple[int, int] | None) -> bool:
        """Whether a rate limit, or a block, lets no job start now."""
        most = rate[0] if rate else NO_MORE
        return self.limiter is not None and int(self.limiter.value) >= most

    def expire(self, by: int) -> None:
        """Take away what lives no longer than `by` (ms)."""
        for held in (self.locks, self.deduplication):
            for name in [
                name for name, each in held.items() if each.expires is not None and each.expires <= by
            ]:
                del held[name]
        for name in ("limiter", "stalled_check", "schedulers_check"):
            single: Expiring | None = getattr(self, name)
            if single and single.expires is not None and single.expires <= by:
                setattr(self, name, None)
