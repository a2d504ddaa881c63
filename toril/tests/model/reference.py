"""The reference model: what each script must do to a queue, in plain Python.

Each verb takes the time in ms where the script reads the server's clock, and the arguments of the
typed call before the script. It returns what the script returns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from .scheduling import Scheduling, job_at
from .state import NO_MORE, Expiring, Job, Queue
from .working import LOCKED, NO_JOB, NOT_IN_STATE, Working

SCHEDULED = -8


class Reference(Working, Scheduling):
    """All verbs of the scripts, on the queues of one server; here those that steer jobs and queues."""

    def set_paused(self, queue: Queue, paused: bool) -> None:
        if paused:
            queue.meta["paused"] = "1"
            queue.emit("paused")
        else:
            queue.meta.pop("paused", None)
            queue.emit("resumed")

    def set_limits(self, queue: Queue, fields: Mapping[str, int | None]) -> bool:
        """Returns whether a field came or went."""
        before = queue.meta.keys() & fields.keys()
        for field, value in fields.items():
            queue.meta.pop(field, None)
            if value is not None:
                queue.meta[field] = str(value)
        return before != queue.meta.keys() & fields.keys()

    def block(self, queue: Queue, ms: int, now: int) -> bool:
        """Returns whether there was a window."""
        before = queue.limiter
        queue.limiter = Expiring(str(NO_MORE), now + ms) if ms else None
        return before is not None

    def promote(self, queue: Queue, job_id: str) -> int:
        if job_id not in queue.jobs:
            return NO_JOB
        if job_id not in queue.delayed:
            return NOT_IN_STATE
        self.promote_all(queue, [job_id])
        return 0

    def cancel(self, queue: Queue, job_id: str, reason: str, now: int) -> int:
        """cancel_job: returns 0 failed now, 1 its worker was asked."""
        job = queue.jobs.get(job_id)
        if job is None:
            return NO_JOB
        if job_id in queue.locks or job_id in queue.active:
            job.fields["toril:cancel"] = reason
            lock = queue.locks.get(job_id)
            queue.cancels.append({"jobId": job_id, "token": lock.value if lock else "", "reason": reason})
            queue.has_cancels = True
            return 1
        if self.is_next_of_scheduler(queue, job_id, job):
            return SCHEDULED
        prev = ""
        for state in ("delayed", "prioritized", "waiting_children"):
            if getattr(queue, state).pop(job_id, None) is not None:
                prev = state.replace("_", "-")
        if job_id in queue.wait:
            queue.wait.remove(job_id)
            prev = "waiting"
        if not prev:
            return NOT_IN_STATE
        queue.limit_events()
        made = int(job.fields.get("atm", "0"))
        count, age_ms = self.fail_cancelled(queue, job_id, now, reason, made, prev)
        if count != 0:
            self.retain(queue, "failed", now, count, age_ms)
        return 0

    def retry_job(self, queue: Queue, job_id: str, reset: bool) -> int:
        if job_id not in queue.jobs:
            return NO_JOB
        if job_id not in queue.failed and job_id not in queue.completed:
            return NOT_IN_STATE
        state = "failed" if job_id in queue.failed else "completed"
        lifo = json.loads(queue.jobs[job_id].fields["opts"]).get("lifo", False)
        self.retry(queue, job_id, state, reset, at_head=lifo)
        return 0

    def retry(self, queue: Queue, job_id: str, state: str, reset: bool, *, at_head: bool = False) -> None:
        getattr(queue, state).pop(job_id)
        job = queue.jobs[job_id]
        self.tell_of_retry(job, queue.base + job_id)
        job.drop("finishedOn", "processedOn", "failedReason", "returnvalue", "toril:cancel")
        if reset:
            job.drop("atm", "ats")
        queue.place_waiting(job_id, job.priority, at_head)
        queue.emit("waiting", jobId=job_id, prev=state)

    def retry_many(self, queue: Queue, state: str, limit: int, before: int, reset: bool) -> int:
        done: dict[str, int] = getattr(queue, state)
        ids = [each for each in queue.in_order(done) if done[each] <= before][:limit]
        if ids:
            queue.limit_events()
        for job_id in ids:
            self.retry(queue, job_id, state, reset)
        return len(ids)

    def change_delay(self, queue: Queue, job_id: str, delay_ms: int, now: int) -> int:
        if job_id not in queue.jobs:
            return NO_JOB
        if job_id not in queue.delayed:
            return NOT_IN_STATE
        del queue.delayed[job_id]
        queue.jobs[job_id].put(delay=delay_ms)
        queue.place_delayed(job_id, now + delay_ms)
        return 0

    def change_priority(self, queue: Queue, job_id: str, priority: int, first: bool) -> int:
        job = queue.jobs.get(job_id)
        if job is None:
            return NO_JOB
        job.put(priority=priority)
        if job_id in queue.prioritized or job_id in queue.wait:
            queue.prioritized.pop(job_id, None)
            queue.wait = [each for each in queue.wait if each != job_id]
            queue.place_waiting(job_id, priority, first, first_of_priority=first)
        return 0

    def update_data(self, queue: Queue, job_id: str, data: str) -> int:
        if job_id not in queue.jobs:
            return NO_JOB
        queue.jobs[job_id].put(data=data)
        return 0

    def log(self, queue: Queue, job_id: str, line: str, keep: int | None) -> int:
        job = queue.jobs.get(job_id)
        if job is None:
            return NO_JOB
        job.logs.append(line)
        if keep is not None:
            job.logs = job.logs[-keep:]
        return len(job.logs)

    def clean(self, queue: Queue, state: str, age_ms: int, most: int, now: int) -> list[str]:
        """Returns the ids removed, the oldest first."""
        held: list[str] | dict[str, int] = getattr(queue, state)
        removed: list[str] = []
        for job_id in reversed(held) if isinstance(held, list) else queue.in_order(held):
            job = queue.jobs.get(job_id)
            fields = job.fields if job else {}
            at = fields.get("finishedOn") or fields.get("processedOn") or fields.get("timestamp") or "0"
            running = state == "active" and job_id in queue.locks
            scheduled = job is not None and self.is_next_of_scheduler(queue, job_id, job)
            if len(removed) < most and int(at) <= now - age_ms and not running and not scheduled:
                removed.append(job_id)
                if isinstance(held, list):
                    getattr(queue, state).remove(job_id)
                else:
                    held.pop(job_id, None)
                self.forget(queue, job_id, now, hard=True)
        queue.emit("cleaned", count=len(removed))
        return removed

    def is_next_of_scheduler(self, queue: Queue, job_id: str, job: Job) -> bool:
        scheduler = queue.schedulers.get(job.fields.get("rjk", ""))
        return scheduler is not None and job_id == job_at(job.fields["rjk"], scheduler.next_run)

    def remove_job(self, queue: Queue, job_id: str, children: bool, now: int) -> int:
        key = queue.base + job_id
        job = queue.jobs.get(job_id)
        if job_id in queue.locks:
            return LOCKED
        if job and self.is_next_of_scheduler(queue, job_id, job):
            return SCHEDULED
        below = self.descendants(key, finished_too=True, skip_locked=False) if children else []
        if any(child_id in where.locks for where, child_id in map(self.locate, below)):
            return LOCKED
        if not self.remove(queue, job_id, now):
            return NO_JOB
        for child in below:
            self.remove(*self.locate(child), now)
        return 0

    def remove_pending_children(self, queue: Queue, job_id: str, now: int) -> int:
        removed = 0
        below = self.descendants(queue.base + job_id, finished_too=False, skip_locked=True)
        for child in reversed(below):
            where, child_id = self.locate(child)
            removed += child_id not in where.failed and self.remove(where, child_id, now)
        return removed

    def leave(self, queue: Queue, job_id: str, now: int) -> int:
        """leave_parent: returns 0, or 1 when no parent waits for it."""
        job = queue.jobs.get(job_id)
        if job is None:
            return NO_JOB
        parent = self.parent_of(job)
        if not parent or not parent.job or queue.base + job_id not in parent.job.pending:
            return 1
        self.leave_parent(job, queue.base + job_id, now, hard=False)
        job.drop("parentKey", "parent")
        return 0

    def drain(self, queue: Queue, delayed: bool, now: int) -> int:
        kept = {job_at(name, each.next_run) for name, each in queue.schedulers.items()}
        removed = 0
        for job_id in list(queue.wait):
            if job_id not in kept:
                queue.wait.remove(job_id)
                removed += 1
                self.forget(queue, job_id, now, hard=True)
        for held in (queue.prioritized, queue.delayed if delayed else {}):
            for job_id in queue.in_order(held):
                if job_id not in kept:
                    del held[job_id]
                    removed += 1
                    self.forget(queue, job_id, now, hard=True)
        return removed

    def obliterate(self, queue: Queue, force: bool, now: int) -> int:
        if not queue.paused:
            return -1
        if queue.active and not force:
            return -2
        for job_id in [*queue.active, *queue.wait]:
            queue.locks.pop(job_id, None)
            self.forget(queue, job_id, now, hard=True)
        queue.active.clear()
        queue.wait.clear()
        for held in (
            queue.delayed, queue.prioritized, queue.completed, queue.failed, queue.waiting_children
        ):  # fmt: skip
            for job_id in queue.in_order(held):
                self.forget(queue, job_id, now, hard=True)
                held.pop(job_id, None)
        empty = Queue(queue.base)
        for name in ("locks", "followers"):
            setattr(empty, name, getattr(queue, name))
        vars(queue).update(vars(empty))
        return 0

    def progress(self, queue: Queue, job_id: str, progress: str) -> int:
        if job_id not in queue.jobs:
            return NO_JOB
        queue.jobs[job_id].put(progress=progress)
        queue.limit_events()
        queue.emit("progress", jobId=job_id, data=progress)
        return 0
