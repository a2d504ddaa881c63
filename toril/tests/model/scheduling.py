"""Job schedulers in the reference model. What is asked for arrives as the scripts get it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .family import Server
from .state import Expiring, Queue, Scheduler

TIMING = ("pattern", "tz", "every", "startDate")
DEFINITION = ("name", *TIMING, "endDate", "limit", "opts", "data")


class Scheduling(Server):
    """The verbs of the scripts of schedulers."""

    def upsert_scheduler(self, queue: Queue, wanted: Mapping[str, Any], now: int) -> bool:
        """Make or change a scheduler and its next job; returns whether anything changed."""
        name, definition = wanted["id"], wanted["definition"]
        old = queue.schedulers.get(name)
        if old and says(old, DEFINITION, definition):
            return set_own(old, wanted["own"])
        same_timing = old is not None and says(old, TIMING, definition)
        pending = old is not None and self.take_away(queue, job_at(name, old.next_run), now)
        at = self.first_run(queue, wanted, old, pending, same_timing, now)
        if (at is None and not wanted["first"]) or (
            at is not None and at > int(definition.get("endDate", at))
        ):
            return self.remove_scheduler(queue, name, now)
        queue.limit_events()
        newest = at if at is not None else old.next_run if old else wanted["first"][-1]
        offset = definition.get("offset") or (
            str(newest % int(definition["every"])) if "every" in definition else "0"
        )
        made = Scheduler({**definition, "ic": old.fields["ic"] if old else "1", "offset": offset}, newest)
        set_own(made, wanted["own"])
        queue.schedulers[name] = made
        if at is not None:
            self.make(queue, name, at, wanted, now)
        return True

    def first_run(
        self,
        queue: Queue,
        wanted: Mapping[str, Any],
        old: Scheduler | None,
        pending: bool,
        same_timing: bool,
        now: int,
    ) -> int | None:
        """When the first job of a changed scheduler is due; None when none is to be made now.
        `pending`: its old job had not begun."""
        if old and pending and (same_timing or old.next_run <= now):
            return old.next_run
        name, first = wanted["id"], wanted["first"]
        if old and wanted["catch_up"] and same_timing and self.is_alive(queue, job_at(name, old.next_run)):
            return None  # it may be behind: it makes the next one itself
        if "every" in wanted["definition"]:
            every = int(wanted["definition"]["every"])
            at = first[0] if first else None
            if old and same_timing:
                at = old.next_run + every
                if at < now:
                    at = old.next_run + every * ((now - old.next_run) // every + 1)
            while at is not None and job_at(name, at) in queue.jobs:
                at += every
            return at
        for at in first:
            # The old pattern may have had this time, too, and its job have run.
            made = old is not None and at <= (now if pending else old.next_run)
            if not made and job_at(name, at) not in queue.jobs:
                return int(at)
        return old.next_run if old and pending else None

    def make(self, queue: Queue, name: str, at: int, job: Mapping[str, Any], now: int) -> None:
        """Make the job of one instant."""
        scheduler = queue.schedulers[name]
        scheduler.next_run = at
        job_id, delay = job_at(name, at), max(0, at - now)
        told = {"jobId": job_id, "repeatJobKey": name, "prevMillis": at, "timestamp": now, "delay": delay}
        opts = json.dumps({**told, **json.loads(job["opts"])})
        queue.counter += 1
        data = scheduler.fields.get("data", "{}")
        priority = job["priority"]
        self.write(queue, job_id, scheduler.fields["name"], data, opts, now, delay, priority, {"rjk": name})
        queue.place_new(job_id, now, delay, priority, job["lifo"])

    def take_away(self, queue: Queue, job_id: str, now: int) -> bool:
        """Take a job away that no worker has begun; returns whether it was there."""
        waits = job_id in queue.wait
        if not (waits or job_id in queue.delayed or job_id in queue.prioritized):
            return False
        queue.delayed.pop(job_id, None)
        queue.prioritized.pop(job_id, None)
        if waits:
            queue.wait.remove(job_id)
        self.forget(queue, job_id, now, hard=True)
        queue.emit("removed", jobId=job_id, prev="delayed")
        return True

    def remove_scheduler(self, queue: Queue, name: str, now: int) -> bool:
        """Returns whether there was one."""
        old = queue.schedulers.get(name)
        if old is None:
            return False
        self.take_away(queue, job_at(name, old.next_run), now)
        del queue.schedulers[name]
        return True

    def advance_scheduler(self, queue: Queue, args: Sequence[Any], now: int) -> int:
        """Returns 0 there was nothing to do, 1 the next job stands, 2 so, and the one taken is left out."""
        name, due, next_run, opts, priority, lifo, token = args
        scheduler = queue.schedulers.get(name)
        if scheduler is None or scheduler.next_run != due:
            return 0
        taken = job_at(name, due)
        if next_run > 0 and job_at(name, next_run) not in queue.jobs:
            count_one(scheduler)
            self.make(queue, name, next_run, {"opts": opts, "priority": priority, "lifo": lifo}, now)
        lock = queue.locks.get(taken)
        if not token or lock is None or lock.value != token:
            return int(next_run > 0)
        del queue.locks[taken]
        queue.stalled.discard(taken)
        if taken in queue.active:
            queue.active.remove(taken)
        self.forget(queue, taken, now, hard=True)
        queue.emit("removed", jobId=taken, prev="active")
        return 2

    def find_lost_schedulers(self, queue: Queue, interval_ms: int, now: int) -> list[str] | None:
        """The schedulers whose newest job is no more; None when others have looked."""
        if queue.schedulers_check is not None:
            return None
        queue.schedulers_check = Expiring(str(now), now + interval_ms)
        return [
            name for name, each in queue.schedulers.items()
            if not self.is_alive(queue, job_at(name, each.next_run))
        ]  # fmt: skip

    def restore_scheduler(self, queue: Queue, args: Sequence[Any], now: int) -> int:
        name, due, at, opts, priority, lifo = args
        scheduler = queue.schedulers.get(name)
        lost = job_at(name, due)
        if scheduler is None or scheduler.next_run != due or self.is_alive(queue, lost):
            return 0
        if at == due:
            queue.jobs.pop(lost, None)
        elif job_at(name, at) in queue.jobs:
            return 0
        else:
            count_one(scheduler)
        self.make(queue, name, at, {"opts": opts, "priority": priority, "lifo": lifo}, now)
        return 1

    def is_alive(self, queue: Queue, job_id: str) -> bool:
        """Whether a job is neither finished nor lost."""
        return job_id in queue.jobs and job_id not in queue.completed and job_id not in queue.failed

    def apply_schedules(
        self, queue: Queue, owner: str, release: int, wanted: Sequence[Mapping[str, Any]], now: int
    ) -> int | tuple[int, list[str], dict[str, str]]:
        """Returns the newer release that has been here; or how many changed, those removed, and those
        taken over with their owners."""
        newest = int(queue.releases.get(owner, "0"))
        if newest > release:
            return newest
        if release > newest:
            queue.releases[owner] = str(release)
        changed, taken = 0, {}
        for each in wanted:
            before = owner_of(queue.schedulers.get(each["id"]))
            if before and before != owner:
                taken[each["id"]] = before
            changed += self.upsert_scheduler(queue, each, now)
            queue.owners[each["id"]] = owner
        declared = {each["id"] for each in wanted}
        removed = []
        for name in [name for name, each in queue.owners.items() if each == owner and name not in declared]:
            if owner_of(queue.schedulers.get(name)) == owner and self.remove_scheduler(queue, name, now):
                removed.append(name)
            del queue.owners[name]
        return changed, removed, taken


def job_at(name: str, at: int) -> str:
    return f"repeat:{name}:{at}"


def count_one(scheduler: Scheduler) -> None:
    scheduler.fields["ic"] = str(int(scheduler.fields["ic"]) + 1)


def says(scheduler: Scheduler, names: Sequence[str], definition: Mapping[str, str]) -> bool:
    """Whether the scheduler's hash says the same as the definition in these fields."""
    same = all(scheduler.fields.get(name) == definition.get(name) for name in names)
    return same and definition.get("offset", scheduler.fields["offset"]) == scheduler.fields["offset"]


def set_own(scheduler: Scheduler, own: str) -> bool:
    """Keep toril's own field of the hash; returns whether it was another."""
    before = scheduler.fields.pop("toril", "")
    if own:
        scheduler.fields["toril"] = own
    return before != own


def owner_of(scheduler: Scheduler | None) -> str | None:
    """The owner that a scheduler's own hash names: one that was made anew by hand has none."""
    own = scheduler.fields.get("toril") if scheduler else None
    return json.loads(own).get("owner") if own else None
