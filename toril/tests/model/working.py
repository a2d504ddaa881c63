"""Fetching and settling jobs in the reference model, and what becomes of those that have ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .adding import Adding
from .family import Parent
from .state import DUE_UNIT, NO_MORE, Expiring, Queue

NO_JOB, NO_LOCK, NOT_IN_STATE, PENDING_CHILDREN, LOCKED, FAILED_CHILD, CANCELLED = -1, -2, -3, -4, -6, -9, -10

REFUSED = {PENDING_CHILDREN: "job has pending children", FAILED_CHILD: "a child of the job has failed"}
TOO_OFTEN = "job stalled more than allowable limit"


class Working(Adding):
    """The verbs of the scripts that a worker calls."""

    metrics_minutes = 3

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
        self, queue: Queue, wanted: int, token: str, lock_ms: int, worker: str, now: int,
        own_rate: tuple[int, int] | None,
    ) -> tuple[list[str], int]:  # fmt: skip
        """Returns the ids taken, and ms until it is worth asking again (-1: unknown).

        own_rate: The worker's own limit, for a queue that has none; see `Queue.rate`.
        """
        self.promote_due(queue, now)
        if queue.paused:
            return [], -1
        rate = queue.rate or own_rate
        if queue.limited(rate):
            assert queue.limiter is not None
            assert queue.limiter.expires is not None
            return [], queue.limiter.expires - now
        allowed = wanted if queue.room is None else min(wanted, queue.room)
        if rate is not None:
            allowed = min(allowed, rate[0] - (int(queue.limiter.value) if queue.limiter else 0))
        ids = [queue.wait.pop() for _ in range(min(allowed, len(queue.wait)))]
        if len(ids) < allowed:
            if not queue.prioritized:
                queue.added_by_priority = 0
            for job_id in queue.in_order(queue.prioritized)[: allowed - len(ids)]:
                del queue.prioritized[job_id]
                ids.append(job_id)
        if ids and rate is not None:
            used = int(queue.limiter.value) if queue.limiter else 0
            expires = queue.limiter.expires if queue.limiter else now + rate[1]
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
        now: int, own_rate: tuple[int, int] | None = None,
    ) -> tuple[list[int], list[str], int]:  # fmt: skip
        """commit: returns the settlements' codes, the ids taken, ms until it is worth asking again."""
        if settlements:
            queue.limit_events()
        codes = [self.settle(queue, each, now) for each in settlements]
        self.count_and_retain(queue, settlements, codes, now)
        ids: list[str] = []
        next_in = -1
        if wanted:
            ids, next_in = self.fetch(queue, wanted, token, lock_ms, worker, now, own_rate)
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
            if code in REFUSED or code == CANCELLED:
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
        reason = job.fields.pop("toril:cancel", None)
        if reason is not None and settlement.kind not in "cf":
            self.fail_cancelled(queue, job_id, now, reason, made, "active")
            return CANCELLED
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

    def fail_cancelled(
        self, queue: Queue, job_id: str, now: int, reason: str, made: int, prev: str
    ) -> tuple[int, int]:
        """Fail a cancelled job, its earlier traces kept; returns its own limits of count and age."""
        fields = queue.jobs[job_id].fields
        keep = json.loads(fields["opts"]).get("removeOnFail")
        count, age_ms = -1, -1
        if keep is True:
            count = 0
        elif isinstance(keep, int) and keep is not False:
            count = keep
        elif isinstance(keep, dict):
            count, age_ms = keep.get("count", -1), keep.get("age", -0.001) * 1000
        text = f"cancelled: {reason}" if reason else "cancelled"
        self.finish(queue, job_id, now, "f", text, fields.get("stacktrace", "[]"), count, None, made, prev)
        return count, age_ms

    def finish(
        self, queue: Queue, job_id: str, now: int, kind: str, text: str, trace: str, keep_count: int,
        attempts: int | None, made: int, prev: str = "active",
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
                job.drop("defa", "toril:cancel")
        queue.emit("completed" if kind == "c" else "failed", jobId=job_id, **{field: text}, prev=prev)
        if kind == "f" and attempts is not None and made >= attempts:
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

    def extend_locks(
        self, queue: Queue, lock_ms: int, tokens: Mapping[str, str], now: int
    ) -> tuple[list[str], dict[str, str]]:
        """extend_locks: returns the ids whose lock is lost, and the reasons of jobs to be cancelled."""
        lost, cancelled = [], {}
        for job_id, token in tokens.items():
            lock = queue.locks.get(job_id)
            if lock is not None and lock.value == token:
                lock.expires = now + lock_ms
                queue.stalled.discard(job_id)
                if "toril:cancel" in queue.jobs[job_id].fields:
                    cancelled[job_id] = queue.jobs[job_id].fields["toril:cancel"]
            else:
                lost.append(job_id)
        return lost, cancelled

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
