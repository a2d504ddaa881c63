"""The typed call before the script that reads why a job does not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import scripts
from .cards import WorkerCard
from .channel import Reply
from .connection import Connection
from .jobs import Fields, pair
from .keys import Keys

FIELDS = (
    "name", "opts", "timestamp", "processedOn", "finishedOn", "atm", "ats", "stc", "failedReason", "defa",
    "pb", "rjk", "deid", "toril:cancel",
)  # fmt: skip
"""The fields of a job's hash that are read, in the order of lua/explain_job.lua."""

NO_MORE = 9007199254740991
"""BullMQ's mark of a queue that may start no job: more than any count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the server knows of a job that does or does not run. Times are ms of its clock.

    Attributes:
        state: As `JobState`, or `missing`.
        job: The fields of its hash that tell something, but not its data.
        started: How many jobs have begun in the rate limit's window; None if none runs.
        window_ms: Until that ends.
        running, waiting, prioritized: How many jobs of the queue.
        score: The job's, where a sorted set has it.
        before: How many jobs are taken before it; None if it was not looked for so far back.
        token, lock_ms: Of its lock.
        holder_dead_at: When the worker that holds the lock counts as dead unless it tells again.
        marked: Whether the stalled check has seen it without a lock, or is to look at it.
        check_ms: Until the next stalled check; less than 0 if no check is due.
        pending: How many children it waits for; `children` are some of them, with their states.
        followed: Whether a further add of its deduplication key is to follow its end.
        follows: Whether it is such an add itself.
        events: Of a job that is missing: (ms, fields), the newest first.
        cards: (ms of death, card) of toril's workers; `workers` of them there are in all.
    """

    state: str
    now_ms: int
    job: Fields = field(default_factory=dict)
    paused: bool = False
    concurrency: int | None = None
    max: int | None = None
    started: int | None = None
    window_ms: int = 0
    running: int = 0
    waiting: int = 0
    prioritized: int = 0
    score: float | None = None
    before: int | None = None
    token: str | None = None
    lock_ms: int = 0
    holder_dead_at: int | None = None
    holder: WorkerCard | None = None
    marked: bool = False
    check_ms: int = -1
    pending: int = 0
    children: Mapping[str, str] = field(default_factory=dict)
    followed: bool = False
    follows: bool = False
    events: Sequence[tuple[int, Fields]] = ()
    workers: int = 0
    cards: Sequence[tuple[int, WorkerCard | None]] = ()


async def read_facts(connection: Connection, keys: Keys, job_id: str, prefix: str) -> Facts:
    """Read all that tells why a job does not run, at one instant."""
    (
        state, now_ms, values, meta, limiter, counts, score, before, lock, stalled, children, follow, events,
        workers,
    ) = await scripts.run(connection, "explain_job", keys.all, keys.base, job_id, prefix)  # fmt: skip
    named = zip(FIELDS, values, strict=False)
    return Facts(
        state=_text(state),
        now_ms=now_ms,
        job={name.encode(): value for name, value in named if value is not None},
        paused=meta[0] is not None,
        concurrency=_number(meta[1]),
        max=_number(meta[2]),
        started=_number(limiter[0]),
        window_ms=limiter[1],
        running=counts[0],
        waiting=counts[1],
        prioritized=counts[2],
        score=None if score is None else float(score),
        before=None if before < 0 else before,
        token=None if lock[0] is None else _text(lock[0]),
        lock_ms=lock[1],
        holder_dead_at=_number(lock[2]),
        holder=WorkerCard.decode(lock[3]),
        marked=bool(stalled[0]),
        check_ms=stalled[1],
        pending=children[0],
        children={_text(key): _text(where) for key, where in pair(children[1]).items()},
        followed=bool(follow[0]),
        follows=bool(follow[1]),
        events=[(int(events[i].partition(b"-")[0]), pair(events[i + 1])) for i in range(0, len(events), 2)],
        workers=workers[0],
        cards=[
            (int(float(workers[1][i])), WorkerCard.decode(workers[1][i + 1]))
            for i in range(0, len(workers[1]), 2)
        ],
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _number(raw: Reply) -> int | None:
    """A whole number that another client may have written as it liked; None if it is none."""
    if raw is None:
        return None
    try:
        return int(float(raw))
    except (ValueError, OverflowError):
        return None
