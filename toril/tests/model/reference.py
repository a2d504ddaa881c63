"""The reference model: what each script must do to a queue, in plain Python.

Each verb takes the time in ms where the script reads the server's clock, and the arguments of the
typed call before the script. It returns what the script returns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .family import Parent, Server
from .state import DUE_UNIT, NO_MORE, Expiring, Job, Queue

NO_JOB, NO_LOCK, NOT_IN_STATE, PENDING_CHILDREN, NO_PARENT = -1, -2, -3, -4, -5
LOCKED, OTHER_PARENT, SCHEDULED, FAILED_CHILD = -6, -7, -8, -9

REFUSED = {PENDING_CHILDREN: "job has pending children", FAILED_CHILD: "a child of the job has failed"}
TOO_OFTEN = "job stalled more than allowable limit"


class Reference(Server):
    """The verbs of the scripts, on the queues of one server."""

    metrics_minutes = 3

    # Adding

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

    def add(self, queue: Queue, jobs: Sequence[Any], now: int) -> list[tuple[str, int]]:
        """add_jobs: returns (id, 0 created, 1 stands already, 2 deduplicated by that job)."""
        first = queue.counter
        queue.counter += len(jobs)
        queue.limit_events()
        answer: list[tuple[str, int]] = []
        for i, job in enumerate(jobs, 1):
            own_id, name, data, opts, delay, priority, lifo, dedup = job[:8]
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
        delay, dedup, ttl, flags = job[4], job[7], job[8], job[9]
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
            queue.followers[dedup] = {"name": job[1], "data": job[2], "opts": job[3], "jid": job_id}
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

    # Working

    def promote_all(self, queue: Queue, ids: Sequence[str]) -> None:
        for job_id in ids:
            del queue.delayed[job_id]
            queue.place_waiting(job_id, queue.jobs[job_id].priority)
            queue.jobs[job_id].put(delay=0)
            queue.emit("waiting", jobId=job_id, prev="delayed")

    def promote_due(self, queue: Queue, now: int) -> None:
        order = queue.in_order(queue.delayed)
        self.promote_all(queue, [each for each in order if queue.delayed[each] < (now + 1) * DUE_UNIT])

    def promote_many(self, queue: Queue, limit: int) -> int:
        queue.limit_events()
        ids = queue.in_order(queue.delayed)[:limit]
        self.promote_all(queue, ids)
        return len(ids)

    def fetch(
        self, queue: Queue, wanted: int, token: str, lock_ms: int, worker: str, now: int
    ) -> tuple[list[str], int]:
        """Returns the ids taken, and ms until it is worth asking again (-1: unknown)."""
        self.promote_due(queue, now)
        if queue.paused:
            return [], -1
        if queue.limited:
            assert queue.limiter is not None
            assert queue.limiter.expires is not None
            return [], queue.limiter.expires - now
        allowed = wanted if queue.room is None else min(wanted, queue.room)
        if queue.rate is not None:
            allowed = min(allowed, queue.rate[0] - (int(queue.limiter.value) if queue.limiter else 0))
        ids = [queue.wait.pop() for _ in range(min(allowed, len(queue.wait)))]
        if len(ids) < allowed:
            if not queue.prioritized:
                queue.added_by_priority = 0
            for job_id in queue.in_order(queue.prioritized)[: allowed - len(ids)]:
                del queue.prioritized[job_id]
                ids.append(job_id)
        if ids and queue.rate is not None:
            used = int(queue.limiter.value) if queue.limiter else 0
            expires = queue.limiter.expires if queue.limiter else now + queue.rate[1]
            queue.limiter = Expiring(str(used + len(ids)), expires)
        for job_id in ids:
            queue.active.insert(0, job_id)
            job = queue.jobs[job_id]
            queue.locks[job_id] = Expiring(token, now + lock_ms)
            job.put(processedOn=now, pb=worker, ats=int(job.fields.get("ats", "0")) + 1)
            queue.emit("active", jobId=job_id, prev="waiting")
        if len(ids) == wanted or queue.next_due is None:
            return ids, -1
        return ids, max(0, queue.next_due - now)

    def commit(
        self, queue: Queue, settlements: Sequence[Any], wanted: int, token: str, lock_ms: int, worker: str,
        now: int,
    ) -> tuple[list[int], list[str], int]:  # fmt: skip
        """commit: returns the settlements' codes, the ids taken, ms until it is worth asking again."""
        if settlements:
            queue.limit_events()
        codes = [self.settle(queue, each, now) for each in settlements]
        self.count_and_retain(queue, settlements, codes, now)
        ids, next_in = self.fetch(queue, wanted, token, lock_ms, worker, now) if wanted else ([], -1)
        if settlements and not ids and not (queue.wait or queue.active or queue.prioritized):
            queue.emit("drained")
        return codes, ids, next_in

    def count_and_retain(
        self, queue: Queue, settlements: Sequence[Any], codes: Sequence[int], now: int
    ) -> None:
        """A job that keeps nothing of itself says nothing of the others, and one that failed instead of
        completing has brought the limits of the completed ones."""
        ends = {"completed": 0, "failed": 0}
        for settlement, code in zip(settlements, codes, strict=True):
            if code in REFUSED:
                ends["failed"] += 1
            elif code == 0 and settlement.kind in "cf":
                target = "completed" if settlement.kind == "c" else "failed"
                ends[target] += 1
                if settlement.keep_count != 0:
                    self.retain(queue, target, now, settlement.keep_count, settlement.keep_age_ms)
                    if settlement.keep_age_ms >= 0:
                        queue.retention[target] = str(settlement.keep_age_ms)
        for target, count in ends.items():
            if count and self.metrics_minutes:
                queue.metrics[target].add(count, now, self.metrics_minutes)

    def retain_finished(self, queue: Queue, now: int) -> int:
        return sum(
            self.retain(queue, target, now, -1, int(queue.retention.get(target, "-1")))
            for target in ("completed", "failed")
        )

    def settle(self, queue: Queue, settlement: Any, now: int) -> int:
        job_id = settlement.job_id
        lock = queue.locks.get(job_id)
        if lock is None or lock.value != settlement.token:
            return NO_LOCK if lock is None else LOCKED
        del queue.locks[job_id]
        queue.stalled.discard(job_id)
        if job_id not in queue.active:
            return NOT_IN_STATE
        queue.active.remove(job_id)
        job = queue.jobs.get(job_id)
        if job is None:
            return NO_JOB
        made = int(job.fields.get("atm", "0")) + 1
        if settlement.kind in "cw":
            code = FAILED_CHILD if job.unsuccessful else PENDING_CHILDREN if job.pending else 0
            if code == FAILED_CHILD or (code and settlement.kind == "c"):
                self.finish(queue, job_id, now, "f", REFUSED[code], "[]", -1, settlement.attempts, made)
                return code
        if settlement.kind in "cf":
            self.finish(
                queue, job_id, now, settlement.kind, settlement.text, settlement.trace,
                settlement.keep_count, settlement.attempts, made,
            )  # fmt: skip
        elif settlement.kind == "l":
            queue.limiter = Expiring(str(NO_MORE), now + settlement.delay_ms)
            self.run_again(queue, job_id, settlement._replace(kind="s", delay_ms=0), now, made)
        elif settlement.kind == "w":
            queue.waiting_children[job_id] = now
            queue.emit("waiting-children", jobId=job_id, prev="active")
            job.put(delay=0)
            self.release_if_free(Parent(queue, job_id, None), now)
        else:
            self.run_again(queue, job_id, settlement, now, made)
        return 0

    def finish(
        self, queue: Queue, job_id: str, now: int, kind: str, text: str, trace: str, keep_count: int,
        attempts: int, made: int,
    ) -> None:  # fmt: skip
        job, key = queue.jobs[job_id], queue.base + job_id
        field = "returnvalue" if kind == "c" else "failedReason"
        if "deid" in job.fields:
            self.free_deduplication(queue, job, job_id, removed=False)
            self.follow(queue, job.fields["deid"], now)
        if kind == "c":
            self.tell_of_completion(job, key, text, now)
        else:
            self.tell_of_failure(job, key, text, now)
        if keep_count == 0:
            self.leave_parent(job, key, now, hard=False)
            del queue.jobs[job_id]
        else:
            (queue.completed if kind == "c" else queue.failed)[job_id] = now
            job.put(atm=made, finishedOn=now, **{field: text})
            if kind == "f":
                job.put(stacktrace=trace)
                job.drop("defa")
        queue.emit("completed" if kind == "c" else "failed", jobId=job_id, **{field: text}, prev="active")
        if kind == "f" and made >= attempts:
            queue.emit("retries-exhausted", jobId=job_id, attemptsMade=made)

    def run_again(self, queue: Queue, job_id: str, settlement: Any, now: int, made: int) -> None:
        job = queue.jobs[job_id]
        if settlement.kind == "r":
            job.put(atm=made, failedReason=settlement.text, stacktrace=settlement.trace)
        job.put(delay=settlement.delay_ms)
        if settlement.delay_ms > 0:
            queue.place_delayed(job_id, now + settlement.delay_ms)
        else:
            first = settlement.kind == "s"  # it was already
            queue.place_waiting(job_id, job.priority, first or settlement.lifo, first_of_priority=first)
            queue.emit("waiting", jobId=job_id, prev="active")

    def retain(self, queue: Queue, target: str, now: int, count: int, age_ms: int) -> int:
        """Drop finished jobs that are too old or too many, the oldest first; returns how many."""
        done: dict[str, int] = getattr(queue, target)
        order = queue.in_order(done)
        gone = [each for each in order if age_ms >= 0 and done[each] <= now - age_ms]
        kept = [each for each in order if each not in gone]
        if count >= 0:
            gone += kept[: max(0, len(kept) - count)]
        for job_id in gone:
            if target == "failed":
                self.leave_parent(queue.jobs[job_id], queue.base + job_id, now, hard=False)
            del done[job_id]
            del queue.jobs[job_id]
        return len(gone)

    def extend_locks(self, queue: Queue, lock_ms: int, tokens: dict[str, str], now: int) -> list[str]:
        """extend_locks: returns the ids whose lock is lost."""
        lost = []
        for job_id, token in tokens.items():
            lock = queue.locks.get(job_id)
            if lock is not None and lock.value == token:
                lock.expires = now + lock_ms
                queue.stalled.discard(job_id)
            else:
                lost.append(job_id)
        return lost

    def recover_stalled(
        self, queue: Queue, max_stalled: int, interval_ms: int, now: int, order: Sequence[str]
    ) -> list[str]:
        """recover_stalled: the server looks at marked jobs in any order, so `order` is what it chose."""
        if queue.stalled_check is not None:
            return []
        queue.stalled_check = Expiring(str(now), now + interval_ms)
        queue.limit_events()
        dead = {each for each in queue.stalled if each not in queue.locks and each in queue.active}
        queue.active = [each for each in queue.active if each not in dead]
        stalled = [each for each in order if each in dead]
        stalled += sorted(each for each in dead if each in queue.jobs and each not in stalled)
        for job_id in stalled:
            job = queue.jobs[job_id]
            job.put(stc=int(job.fields.get("stc", "0")) + 1)
            if int(job.fields["stc"]) > max_stalled:
                job.put(defa=TOO_OFTEN)
            queue.wait.append(job_id)
            queue.emit("waiting", jobId=job_id, prev="active")
            queue.emit("stalled", jobId=job_id)
        queue.stalled = set(queue.active)
        return stalled

    # Steering

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

    def retry_job(self, queue: Queue, job_id: str, reset: bool) -> int:
        if job_id not in queue.jobs:
            return NO_JOB
        if job_id not in queue.failed and job_id not in queue.completed:
            return NOT_IN_STATE
        self.retry(queue, job_id, "failed" if job_id in queue.failed else "completed", reset)
        return 0

    def retry(self, queue: Queue, job_id: str, state: str, reset: bool) -> None:
        getattr(queue, state).pop(job_id)
        job = queue.jobs[job_id]
        self.tell_of_retry(job, queue.base + job_id)
        job.drop("finishedOn", "processedOn", "failedReason", "returnvalue")
        if reset:
            job.drop("atm", "ats")
        queue.place_waiting(job_id, job.priority)
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
        return scheduler is not None and job_id == f"repeat:{job.fields['rjk']}:{scheduler.next_run}"

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
        kept = {f"repeat:{name}:{each.next_run}" for name, each in queue.schedulers.items()}
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
        for name in ("locks", "deduplication", "followers"):
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


def compact(value: object) -> str:
    """JSON as the scripts and the client write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
