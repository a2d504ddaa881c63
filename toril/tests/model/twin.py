"""The model and the engine as one: each verb is done to both, and what they return is compared."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from toril.codec import AddArguments, FlowArguments
from toril.job import NewJob
from toril.options import RateLimit
from toril.schedule import When
from toril.storage import scripts
from toril.storage.bulk import BulkStore
from toril.storage.flows import FamilyStore, Refused, add_flow
from toril.storage.jobs import JobStore
from toril.storage.keys import Keys
from toril.storage.limits import LimitStore
from toril.storage.schedulers import Advance, Declared, SchedulerStore
from toril.storage.work import Settlement, WorkStore

from .compare import differences, model_shape, real_shape
from .real import EARLY, Real, text
from .reference import Reference
from .state import Queue

START = 1_700_000_000_000
MINUTE = 60_000
LOCK = 600 * MINUTE
WORKER = "w1"
OWN_RATE = RateLimit(2, 120.0)


class Sleeper:
    """A worker of one queue that has found it empty: it sleeps on the marker, or will ask again at a time."""

    def __init__(self) -> None:
        self.asleep = True
        self.wakes_at: int | None = None

    def sleep(self, now: int, next_in: int) -> None:
        self.asleep = True
        self.wakes_at = None if next_in < 0 else now + next_in


class Twin:
    """One queue of the model beside the same queue of the server."""

    def __init__(self, name: str, pair: Twins) -> None:
        self.name = name
        self.twins = pair
        self.keys = pair.keys[name]
        self.queue: Queue = pair.model.queues[self.keys.base]
        connection = pair.real.connection
        self.store = JobStore(connection, self.keys)
        self.bulk = BulkStore(connection, self.keys)
        minutes = pair.model.metrics_minutes
        self.work = WorkStore(connection, self.keys, WORKER, LOCK, minutes)
        self.limited_work = WorkStore(connection, self.keys, WORKER, LOCK, minutes, OWN_RATE)
        self.family = FamilyStore(connection, self.keys, pair.prefix)
        self.limits = LimitStore(connection, self.keys)
        self.schedulers = SchedulerStore(connection, self.keys)
        self.sleeper = Sleeper()

    @property
    def now(self) -> int:
        return self.twins.now

    def any_job(self, pick: int) -> str:
        """One of the jobs, or now and then an id that is none."""
        return chosen([*self.queue.jobs, "none"], pick) or "none"

    # Adding

    def add(self, arguments: list[AddArguments]) -> None:
        expected = self.twins.model.add(self.queue, arguments, self.now)
        added, now = self.twins.run(self.store.add(arguments))
        same((expected, self.now), ([tuple(each) for each in added], now))

    def add_flow(self, jobs: list[FlowArguments]) -> None:
        expected = self.twins.model.add_flow(jobs, self.now)
        try:
            added, now = self.twins.run(add_flow(self.twins.real.connection, self.keys, jobs))
        except Refused as refused:
            same(expected, (refused.code, refused.place))
        else:
            same((expected, self.now), ([tuple(each) for each in added], now))

    # Working

    def commit(
        self, settlements: Sequence[Settlement], wanted: int, *, limited: bool = False
    ) -> tuple[int, int]:
        """Returns how many jobs were fetched, and ms until it is worth asking again.

        limited: By a worker that has a rate limit of its own.
        """
        token = self.twins.token()
        own = (OWN_RATE.max, round(OWN_RATE.duration * 1000)) if limited else None
        codes, ids, next_in = self.twins.model.commit(
            self.queue, settlements, wanted, token, LOCK, WORKER, self.now, own
        )
        work = self.limited_work if limited else self.work
        done = self.twins.run(work.commit(settlements, wanted, token))
        same((codes, ids, self.now), (done.codes, [job_id for job_id, _ in done.jobs], done.now_ms))
        # A rate limit's time follows real time.
        assert -EARLY < next_in - done.next_in_ms < EARLY + self.twins.elapsed(), (
            f"the model returns {next_in}, the server {done.next_in_ms}"
        )
        return len(ids), next_in

    def wake(self, slots: int) -> None:
        """The sleeping worker asks for jobs whenever something wakes it or its time has come, until it
        has filled its slots or has found nothing and no marker."""
        sleeper = self.sleeper
        while True:
            if sleeper.asleep:
                woken = self.twins.real.client.zpopmin(self.keys.marker)
                if not woken and (sleeper.wakes_at is None or sleeper.wakes_at > self.now):
                    return
            taken, next_in = self.commit([], slots)
            if taken == slots:
                sleeper.asleep = False
                return
            sleeper.sleep(self.now, next_in)
            assert next_in != 0, "a worker would ask again and again"

    def lose_lock(self, pick: int) -> None:
        job_id = chosen(self.queue.locks, pick)
        if job_id is not None:
            del self.queue.locks[job_id]
            self.twins.real.client.delete(f"{self.keys.job(job_id)}:lock")

    def extend_locks(self, tokens: Mapping[str, str]) -> None:
        expected = self.twins.model.extend_locks(self.queue, LOCK, tokens, self.now)
        flat = [part for item in tokens.items() for part in item]
        lost, cancelled = self.twins.run(
            scripts.run(
                self.twins.real.connection, "extend_locks", self.keys.all, self.keys.base, LOCK, *flat
            )
        )
        lost, cancelled = text(lost), text(cancelled)
        same(expected, (lost, dict(zip(cancelled[::2], cancelled[1::2], strict=True))))

    def recover_stalled(self, most: int) -> None:
        found = self.twins.run(self.work.recover_stalled(most, 2 * MINUTE))
        same(self.twins.model.recover_stalled(self.queue, most, 2 * MINUTE, self.now, found), found)

    def retain_finished(self) -> None:
        same(
            self.twins.model.retain_finished(self.queue, self.now),
            self.twins.run(self.work.retain_finished()),
        )

    # Steering

    def set_paused(self, paused: bool) -> None:
        self.twins.model.set_paused(self.queue, paused)
        self.twins.run(self.bulk.set_paused(paused))

    def promote(self, job_id: str) -> None:
        same(self.twins.model.promote(self.queue, job_id), self.twins.run(self.store.promote(job_id)))

    def cancel(self, job_id: str, reason: str) -> None:
        same(
            self.twins.model.cancel(self.queue, job_id, reason, self.now),
            self.twins.run(self.store.cancel(job_id, reason)),
        )

    def promote_many(self, limit: int) -> None:
        same(self.twins.model.promote_many(self.queue, limit), self.twins.run(self.bulk.promote(limit)))

    def retry(self, job_id: str, reset: bool) -> None:
        same(
            self.twins.model.retry_job(self.queue, job_id, reset),
            self.twins.run(self.store.retry(job_id, reset)),
        )

    def retry_many(self, state: str, limit: int, reset: bool) -> None:
        same(
            (self.twins.model.retry_many(self.queue, state, limit, self.now, reset), self.now),
            self.twins.run(self.bulk.retry(state, limit, None, reset)),
        )

    def change_delay(self, job_id: str, delay_ms: int) -> None:
        same(
            self.twins.model.change_delay(self.queue, job_id, delay_ms, self.now),
            self.twins.run(self.store.change_delay(job_id, delay_ms)),
        )

    def change_priority(self, job_id: str, priority: int, first: bool) -> None:
        same(
            self.twins.model.change_priority(self.queue, job_id, priority, first),
            self.twins.run(self.store.change_priority(job_id, priority, first)),
        )

    def update_data(self, job_id: str, data: str) -> None:
        same(
            self.twins.model.update_data(self.queue, job_id, data),
            self.twins.run(self.store.update_data(job_id, data)),
        )

    def log(self, job_id: str, line: str, keep: int | None) -> None:
        same(
            self.twins.model.log(self.queue, job_id, line, keep),
            self.twins.run(self.store.log(job_id, line, keep)),
        )

    def release_deduplication(self, name: str, job_id: str) -> None:
        same(
            self.twins.model.release_deduplication(self.queue, name, job_id),
            self.twins.run(self.store.release_deduplication(name, job_id)),
        )

    def remove(self, job_id: str, children: bool) -> None:
        self.twins.any_order = children
        same(
            self.twins.model.remove_job(self.queue, job_id, children, self.now),
            self.twins.run(self.store.remove(job_id, children, self.twins.prefix)),
        )

    def progress(self, job_id: str, progress: str) -> None:
        same(
            self.twins.model.progress(self.queue, job_id, progress),
            self.twins.run(self.store.progress(job_id, progress)),
        )

    def drain(self, delayed: bool, limit: int) -> None:
        """In calls of `limit` jobs, as the next two."""
        removed = 0
        while more := self.twins.run(self.bulk.drain(delayed, limit)):
            assert more <= limit
            removed += more
        same(self.twins.model.drain(self.queue, delayed, self.now), removed)

    def obliterate(self, force: bool, limit: int) -> None:
        while (code := self.twins.run(self.bulk.obliterate(force, limit))) == 1:
            pass
        same(self.twins.model.obliterate(self.queue, force, self.now), code)
        if code == 0:
            self.twins.run(self.bulk.drop_throttles())

    def clean(self, state: str, age_ms: int, most: int, look: int) -> None:
        removed: list[str] = []
        skip = 0
        while skip >= 0 and len(removed) < most:
            more, ahead = self.twins.run(self.bulk.clean(state, age_ms, look, skip, most - len(removed)))
            assert more or ahead == -1 or ahead > skip
            assert ahead <= len(self.queue.jobs), "it passes over jobs that are not there"
            removed, skip = removed + more, ahead
        same(self.twins.model.clean(self.queue, state, age_ms, most, self.now), removed)
        self.queue.events = [each for each in self.queue.events if each["event"] != "cleaned"]
        self.twins.untold = "cleaned"

    def leave_parent(self, job_id: str) -> None:
        same(
            self.twins.model.leave(self.queue, job_id, self.now),
            self.twins.run(self.family.leave_parent(job_id)),
        )

    def remove_pending_children(self, job_id: str) -> None:
        self.twins.any_order = True
        same(
            self.twins.model.remove_pending_children(self.queue, job_id, self.now),
            self.twins.run(self.family.remove_pending(job_id)),
        )

    def set_limits(self, **fields: int | None) -> None:
        same(
            self.twins.model.set_limits(self.queue, fields),
            self.twins.run(self.limits.set(**fields)),
        )

    def block(self, ms: int) -> None:
        same(
            self.twins.model.block(self.queue, ms, self.now),
            self.twins.run(self.limits.block(ms)),
        )

    # Schedulers

    def upsert_scheduler(self, name: str, when: When, job: NewJob) -> None:
        changed = self.twins.run(self.schedulers.upsert(name, when, job))
        (asked,) = self.twins.real.asked("upsert_scheduler")
        same(self.twins.model.upsert_scheduler(self.queue, asked, self.now), changed)

    def apply_schedules(self, owner: str, release: int, schedules: Sequence[Declared]) -> None:
        applied = self.twins.run(self.schedulers.apply(owner, release, schedules))
        ((_, _, asked),) = self.twins.real.asked("apply_schedules")
        expected = self.twins.model.apply_schedules(self.queue, owner, release, asked, self.now)
        if isinstance(expected, int):
            same(expected, applied.newer_release)
        else:
            same(
                (expected[0], sorted(expected[1]), expected[2]),
                (applied.changed, sorted(applied.removed), applied.taken_over),
            )

    def advance_scheduler(self, name: str, taken: str, token: str) -> None:
        done = self.twins.run(self.schedulers.advance(name, taken, token))
        codes = [
            self.twins.model.advance_scheduler(self.queue, asked, self.now)
            for asked in self.twins.real.asked("advance_scheduler")
        ]
        same(2 in codes, done is Advance.LEFT_OUT)

    def remove_scheduler(self, name: str) -> None:
        same(
            self.twins.model.remove_scheduler(self.queue, name, self.now),
            self.twins.run(self.schedulers.remove(name)),
        )

    def heal_schedulers(self) -> None:
        lost = self.twins.model.find_lost_schedulers(self.queue, 2 * MINUTE, self.now) or []
        healed, _ = self.twins.run(self.schedulers.heal(0, 2 * MINUTE))
        restored = self.twins.real.asked("restore_scheduler")
        same([], [args[0] for args in restored if args[0] not in lost])
        made = [
            args[0] for args in restored
            if self.twins.model.restore_scheduler(self.queue, args, self.now)
        ]  # fmt: skip
        same(made, healed)

    def unwoken(self, marker: Mapping[str, int]) -> list[str]:
        """Why the sleeping worker would sleep on although there is work."""
        if not marker.keys() <= {"0", "1"}:
            return [f"strange marker in {self.name}: {marker}"]
        sleeper, queue = self.sleeper, self.queue
        if not sleeper.asleep or queue.paused or queue.room == 0 or queue.limited(queue.rate):
            return []
        wakes_at = None if sleeper.wakes_at is None else max(sleeper.wakes_at, self.now)
        due = self.now if queue.could_start(self.now) else queue.next_due
        if due is None or "0" in marker or (wakes_at is not None and wakes_at <= due):
            return []
        if "1" in marker and marker["1"] <= due:
            return []
        return [
            f"a worker of {self.name} sleeps until {wakes_at}, marker {marker}; a job could start at {due}"
        ]


class Twins:
    """All queues of one example, on both sides, under one clock."""

    def __init__(self, real: Real, prefix: str, names: Sequence[str]) -> None:
        self.real = real
        self.prefix = prefix
        self.now = START
        self.any_order = False
        """Whether the server may tell of this step's events in any order."""
        self.untold = ""
        """An event that is not compared in this step: how often it comes depends on the size of calls."""
        self.keys = {name: Keys(name, prefix) for name in names}
        self.model = Reference([keys.base for keys in self.keys.values()])
        self._tokens = 0
        self._begun = time.monotonic()
        real.begin(prefix, self.now)
        self.each = {name: Twin(name, self) for name in names}

    def run(self, work: Any) -> Any:
        return self.real.run(work)

    def elapsed(self) -> float:
        """Real time since the example began, in ms."""
        return 1000 * (time.monotonic() - self._begun)

    def token(self) -> str:
        self._tokens += 1
        return f"t{self._tokens}"

    def advance(self, ms: int) -> None:
        self.now += ms
        self.real.advance(ms)
        for queue in self.model.queues.values():
            queue.expire(self.now + EARLY)

    def differences(self) -> list[str]:
        """Where model and server disagree after a step, its events included; empty if nowhere."""
        found, events, markers = real_shape(self.real.dump())
        shape = model_shape(list(self.model.queues.values()), self.prefix, self.now)
        told = differences(shape, found, self.elapsed())
        for twin in self.each.values():
            expected, twin.queue.events = twin.queue.events, []
            emitted = [each for each in events.get(twin.keys.events, []) if each["event"] != self.untold]
            if self.any_order:
                expected, emitted = sorted(expected, key=repr), sorted(emitted, key=repr)
            if expected != emitted:
                told.append(f"events of {twin.name}: the model has {expected}, the server {emitted}")
            asked, twin.queue.cancels = twin.queue.cancels, []
            if asked != events.get(twin.keys.cancels, []):
                told.append(f"cancels of {twin.name}: {asked}, {events.get(twin.keys.cancels)}")
            told += twin.unwoken(markers.get(twin.keys.marker, {}))
        self.any_order, self.untold = False, ""
        return told


def chosen(ids: Sequence[str] | Mapping[str, object], pick: int) -> str | None:
    """One of some ids; None if there is none."""
    order = sorted(ids)
    return order[pick % len(order)] if order else None


def same(expected: object, found: object) -> None:
    assert expected == found, f"the model returns {expected!r}, the server {found!r}"
