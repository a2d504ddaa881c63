"""Adding jobs in the reference model: by themselves, deduplicated, and as flows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .family import Parent, Server
from .state import Expiring, Queue

NO_PARENT, OTHER_PARENT = -5, -7


class Adding(Server):
    """The verbs of the scripts that add jobs."""

    def add(self, queue: Queue, jobs: Sequence[Any], now: int) -> list[tuple[str, int]]:
        """add_jobs: returns (id, 0 created, 1 stands already, 2 deduplicated by that job)."""
        first = queue.counter
        queue.counter += len(jobs)
        queue.limit_events()
        answer: list[tuple[str, int]] = []
        for i, job in enumerate(jobs, 1):
            own_id, data, (name, opts, delay, priority, lifo, dedup, _, _) = job
            job_id = own_id or str(first + i)
            if own_id and own_id in queue.jobs:
                queue.emit("duplicated", jobId=own_id)
                answer.append((own_id, 1))
                continue
            holder = self.deduplicate(queue, job, job_id, now) if dedup else None
            if holder is not None:
                answer.append((holder, 2))
                continue
            extra = {"deid": dedup} if dedup else {}
            self.write(queue, job_id, name, data, opts, now, delay, priority, extra)
            queue.place_new(job_id, now, delay, priority, lifo)
            answer.append((job_id, 0))
        return answer

    def deduplicate(self, queue: Queue, job: Any, job_id: str, now: int) -> str | None:
        """The job that this one is taken for; None when it is to be added, as the new holder."""
        _, data, (name, opts, delay, _, _, dedup, ttl, flags) = job
        keep_last = "k" in flags
        expires = now + ttl if ttl and not keep_last else None
        held = queue.deduplication.get(dedup)
        if held is None or (held.expires is None and held.value not in queue.jobs):
            if held:
                queue.followers.pop(dedup, None)
            queue.deduplication[dedup] = Expiring(job_id, expires)
            return None
        holder = held.value
        told = {"deduplicationId": dedup}
        if "r" in flags and holder in queue.delayed:
            del queue.delayed[holder]
            self.leave_parent(queue.jobs[holder], queue.base + holder, now, hard=False)
            del queue.jobs[holder]
            queue.followers.pop(dedup, None)
            queue.emit("removed", jobId=holder, prev="delayed")
            queue.emit("deduplicated", jobId=job_id, **told, deduplicatedJobId=holder)
            keeps_ttl = ttl and not keep_last and "x" not in flags
            queue.deduplication[dedup] = Expiring(job_id, held.expires if keeps_ttl else expires)
            return None
        if keep_last and holder in queue.active:
            queue.followers[dedup] = {"name": name, "data": data, "opts": opts, "jid": job_id}
            held.expires = None
        elif "x" in flags and ttl and "r" not in flags:
            held.expires = expires
        queue.emit("deduplicated", jobId=holder, **told, deduplicatedJobId=job_id)
        if "s" in flags and "r" not in flags and holder in queue.delayed:
            del queue.delayed[holder]
            queue.jobs[holder].put(delay=delay)
            queue.place_delayed(holder, now + delay)
        return holder

    def follow(self, queue: Queue, dedup: str, now: int) -> None:
        """Add the job that is to follow the one of this key that has just ended."""
        next_one = queue.followers.pop(dedup, None)
        if next_one is None:
            return
        queue.counter += 1
        job_id = next_one["jid"]
        if job_id in queue.jobs:
            queue.emit("duplicated", jobId=job_id)
            return
        opts = json.loads(next_one["opts"])
        lives = None if opts["de"].get("keepLastIfActive") else opts["de"].get("ttl")
        queue.deduplication[dedup] = Expiring(job_id, now + lives if lives else None)
        delay, priority = opts.get("delay", 0), opts.get("priority", 0)
        self.write(
            queue, job_id, next_one["name"], next_one["data"], next_one["opts"], now, delay, priority,
            {"deid": dedup},
        )  # fmt: skip
        queue.place_new(job_id, now, delay, priority, opts.get("lifo", False))

    def release_deduplication(self, queue: Queue, dedup: str, job_id: str) -> bool:
        held = queue.deduplication.get(dedup)
        if held is None or (job_id and held.value != job_id):
            return False
        del queue.deduplication[dedup]
        return True

    def add_flow(self, jobs: Sequence[Any], now: int) -> list[tuple[str, int]] | tuple[int, int]:
        """add_flow: returns (id, status) of each, or (code, place from 0) and nothing is done."""
        for i, job in enumerate(jobs):
            code = self.refusal(jobs, job)
            if code:
                return code, i
        ids: list[str] = []
        answer: list[tuple[str, int]] = []
        for job in jobs:
            answer.append(self.add_member(job, self.parent_named(jobs, ids, job), now))
            ids.append(answer[-1][0])
        for job, job_id in reversed(list(zip(jobs, ids, strict=True))):
            if job[9]:
                self.release_if_free(Parent(self.queues[job[0]], job_id, None), now)
        if jobs[0][11]:
            self.release_if_free(Parent(self.queues[jobs[0][11] + ":"], jobs[0][12], None), now)
        return answer

    def parent_named(self, jobs: Sequence[Any], ids: Sequence[str], job: Any) -> Parent | None:
        if job[10]:
            return Parent(self.queues[jobs[job[10] - 1][0]], ids[job[10] - 1], None)
        return Parent(self.queues[job[11] + ":"], job[12], None) if job[11] else None

    def refusal(self, jobs: Sequence[Any], job: Any) -> int:
        if job[11] and job[12] not in self.queues[job[11] + ":"].jobs:
            return NO_PARENT
        present = self.queues[job[0]].jobs.get(job[1]) if job[1] else None
        before = self.parent_of(present) if present else None
        if not (job[10] or job[11]) or before is None or before.job is None:
            return 0
        wanted = f"{job[11]}:{job[12]}" if job[11] else jobs[job[10] - 1][0] + jobs[job[10] - 1][1]
        return OTHER_PARENT if before.key != wanted else 0

    def add_member(self, job: Any, parent: Parent | None, now: int) -> tuple[str, int]:
        base, own_id, name, data, opts, delay, priority, lifo, policy, has_children = job[:10]
        queue = self.queues[base]
        queue.limit_events()
        kin: dict[str, str] = {}
        if parent:
            kin = {"parentKey": parent.key, "parent": self.parent_field(parent, policy)}
            named = {"id": parent.id, "queue": parent.queue.base[:-1]}
            opts = compact({"parent": named, **json.loads(opts)})
        present = bool(own_id) and own_id in queue.jobs
        if present:
            job_id = own_id
            queue.emit("duplicated", jobId=job_id)
            queue.jobs[job_id].fields.update(kin)
        else:
            queue.counter += 1
            job_id = own_id or str(queue.counter)
            self.write(queue, job_id, name, data, opts, now, delay, priority, kin)
            if has_children:
                queue.waiting_children[job_id] = now
                queue.emit("waiting-children", jobId=job_id)
            else:
                queue.place_new(job_id, now, delay, priority, lifo)
        if parent and parent.job:
            key = base + job_id
            if job_id in queue.completed:
                parent.job.processed[key] = queue.jobs[job_id].fields.get("returnvalue", "null")
            else:
                parent.job.pending.add(key)
        return job_id, int(present)

    def parent_field(self, parent: Parent, policy: str) -> str:
        return compact(
            {"id": parent.id, "queueKey": parent.queue.base[:-1], **({policy: True} if policy else {})}
        )


def compact(value: object) -> str:
    """JSON as the scripts and the client write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
