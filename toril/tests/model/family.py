"""Parents and children in the reference model: jobs that wait for jobs, over several queues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .state import Job, Queue


class Parent:
    """Whom a child's field `parent` names, and what the child's failure does to it."""

    def __init__(self, queue: Queue, job_id: str, policy: str | None) -> None:
        self.queue = queue
        self.id = job_id
        self.policy = policy
        self.key = queue.base + job_id

    @property
    def job(self) -> Job | None:
        return self.queue.jobs.get(self.id)


class Server:
    """The queues of one server, and what happens between their jobs."""

    def __init__(self, bases: list[str]) -> None:
        self.queues = {base: Queue(base) for base in bases}

    def locate(self, key: str) -> tuple[Queue, str]:
        """The queue and the id in a job's key."""
        base = next(base for base in self.queues if key.startswith(base))
        return self.queues[base], key[len(base) :]

    def parent_of(self, job: Job) -> Parent | None:
        raw = job.fields.get("parent")
        if raw is None:
            return None
        found: dict[str, Any] = json.loads(raw)
        policy = next((name for name in ("fpof", "cpof", "idof", "rdof") if found.get(name)), None)
        return Parent(self.queues[found["queueKey"] + ":"], found["id"], policy)

    # What becomes of the parent

    def place_parent(self, parent: Parent, now: int) -> None:
        job = parent.job
        assert job is not None
        delay = int(job.fields.get("delay", "0"))
        if delay > 0:
            parent.queue.place_delayed(parent.id, now + delay)
        else:
            parent.queue.place_waiting(parent.id, job.priority, at_head=True)
            parent.queue.emit("waiting", jobId=parent.id, prev="waiting-children")

    def release(self, parent: Parent, now: int) -> None:
        """Let it run if it waits for children."""
        if parent.job is not None and parent.queue.waiting_children.pop(parent.id, None) is not None:
            self.place_parent(parent, now)

    def release_if_free(self, parent: Parent, now: int) -> None:
        if parent.job is None or not parent.job.pending:
            self.release(parent, now)

    def doom(self, parent: Parent, child_key: str, now: int) -> None:
        """It is to fail when a worker takes it, which may be now if it waited for anything."""
        job, queue = parent.job, parent.queue
        if job is None or parent.id in queue.failed or parent.id in queue.completed:
            return
        job.put(defa=f"child {child_key} failed")
        if parent.id in queue.waiting_children or parent.id in queue.delayed:
            queue.waiting_children.pop(parent.id, None)
            queue.delayed.pop(parent.id, None)
            job.put(delay=0)
            self.place_parent(parent, now)

    # What a child tells

    def tell_of_completion(self, child: Job, key: str, result: str, now: int) -> None:
        parent = self.parent_of(child)
        if parent and parent.job and key in parent.job.pending:
            parent.job.pending.discard(key)
            parent.job.processed[key] = result
            self.release_if_free(parent, now)

    def tell_of_failure(self, child: Job, key: str, reason: str, now: int) -> None:
        """Without a policy the parent goes on waiting: the child may be retried."""
        parent = self.parent_of(child)
        if not parent or parent.policy is None or not parent.job or key not in parent.job.pending:
            return
        parent.job.pending.discard(key)
        if parent.policy == "fpof":
            parent.job.unsuccessful[key] = now
            self.doom(parent, key, now)
        elif parent.policy == "cpof":
            parent.job.ignored[key] = reason
            self.release(parent, now)
        else:
            if parent.policy == "idof":
                parent.job.ignored[key] = reason
            self.release_if_free(parent, now)

    def tell_of_retry(self, child: Job, key: str) -> None:
        parent = self.parent_of(child)
        if not parent or not parent.job:
            return
        known = (parent.job.processed, parent.job.ignored, parent.job.unsuccessful)
        if any(key in kind for kind in known):
            for kind in known:
                kind.pop(key, None)  # type: ignore[attr-defined]
            parent.job.pending.add(key)

    def leave_parent(self, child: Job, key: str, now: int, hard: bool) -> None:
        """A child that is gone is waited for no longer. With `hard`, a parent of the same queue that
        has lost its last pending child goes too, and so on upwards; else it runs."""
        here, _ = self.locate(key)
        parent = self.parent_of(child)
        while parent and parent.job and key in parent.job.pending:
            parent.job.pending.discard(key)
            if parent.job.pending:
                return
            if not hard or parent.queue is not here:
                self.release(parent, now)
                return
            if here.waiting_children.pop(parent.id, None) is None:
                return
            gone = parent.job
            self.free_deduplication(here, gone, parent.id, removed=True)
            del here.jobs[parent.id]
            here.emit("removed", jobId=parent.id, prev="waiting-children")
            key, parent = parent.key, self.parent_of(gone)

    # What belongs to a job

    def write(
        self, queue: Queue, job_id: str, name: str, data: str, opts: str, now: int, delay: int, priority: int,
        extra: dict[str, str],
    ) -> None:  # fmt: skip
        queue.jobs[job_id] = Job(
            {
                "name": name,
                "data": data,
                "opts": opts,
                "timestamp": str(now),
                "delay": str(delay),
                "priority": str(priority),
                **extra,
            }
        )
        queue.emit("added", jobId=job_id, name=name)

    def free_deduplication(self, queue: Queue, job: Job, job_id: str, *, removed: bool) -> None:
        """When a job ends, its key with a time to live stays. When it is removed, so is what was to
        follow it, unless another job holds the key."""
        name = job.fields.get("deid")
        if name is None:
            return
        held = queue.deduplication.get(name)
        if held and held.value == job_id and (removed or held.expires is None):
            del queue.deduplication[name]
        if removed and name not in queue.deduplication:
            queue.followers.pop(name, None)

    def forget(self, queue: Queue, job_id: str, now: int, hard: bool) -> bool:
        """Take away a job of which nothing is to be kept, but not its place; whether it was there."""
        job = queue.jobs.get(job_id)
        if job is None:
            return False
        self.free_deduplication(queue, job, job_id, removed=True)
        self.leave_parent(job, queue.base + job_id, now, hard)
        queue.jobs.pop(job_id, None)
        return True

    def remove(self, queue: Queue, job_id: str, now: int) -> bool:
        """Take a job away from wherever it is; whether it was there."""
        prev = "unknown"
        for state in ("delayed", "prioritized", "completed", "failed", "waiting_children"):
            if prev == "unknown" and getattr(queue, state).pop(job_id, None) is not None:
                prev = state.replace("_", "-")
        for state in ("wait", "active"):
            if prev == "unknown" and job_id in getattr(queue, state):
                getattr(queue, state).remove(job_id)
                prev = state
        if not self.forget(queue, job_id, now, hard=False):
            return False
        queue.limit_events()
        queue.emit("removed", jobId=job_id, prev=prev)
        return True

    def children_of(self, job: Job, finished_too: bool) -> Iterator[str]:
        yield from sorted(job.pending)
        if finished_too:
            yield from (*job.processed, *job.ignored, *job.unsuccessful)

    def descendants(self, key: str, *, finished_too: bool, skip_locked: bool) -> list[str]:
        """All keys below a job, each once, children behind their parents."""
        found: list[str] = []
        seen = {key}
        todo = [key]
        while todo:
            queue, job_id = self.locate(todo.pop(0))
            job = queue.jobs.get(job_id)
            for child in self.children_of(job, finished_too) if job else ():
                where, child_id = self.locate(child)
                if child not in seen and not (skip_locked and child_id in where.locks):
                    seen.add(child)
                    found.append(child)
                    todo.append(child)
        return found
