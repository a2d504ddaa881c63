"""A state machine that drives the reference model and the real engine side by side.

Each rule does the same to both and compares what they return; after each rule all states are
compared, and the events of that step. A worker that sleeps on the marker stands beside each queue:
whenever it could get a job, or will without being woken, there must be something to wake it.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from toril.codec import add_arguments, flow_arguments
from toril.job import JobRef, NewJob
from toril.options import Deduplication
from toril.schedule import Cron, Every, Missed, When
from toril.storage.schedulers import Declared
from toril.storage.work import Settlement

from .real import Real
from .scheduling import job_at
from .twin import MINUTE, START, Twins, chosen

NAMES = ("a", "b")
STATES = ("wait", "active", "prioritized", "delayed", "completed", "failed", "waiting_children")
JOB_VERBS = (
    "promote",
    "retry",
    "remove",
    "remove_children",
    "progress",
    "lose_lock",
    "cancel",
    "extend_locks",
    "extend_wrongly",
    "settle_wrongly",
    "leave_parent",
    "remove_pending_children",
    "change_delay",
    "change_priority",
    "update_data",
    "log",
    "release_deduplication",
)
QUEUE_VERBS = (
    "pause",
    "resume",
    "resume",
    "drain",
    "obliterate",
    "concurrency",
    "rate",
    "block",
    "retain",
    "clean",
    "promote",
    "retry",
)

statistics: Counter[str] = Counter()
"""How many examples and steps were run."""

_examples = itertools.count()

queues = st.sampled_from((NAMES[0], NAMES[0], NAMES[1]))
picks = st.integers(0, 30)
delays = st.sampled_from((0, 0, 0, 1, 20, 300, 60_000))
policies = st.sampled_from((None, "fpof", "cpof", "idof", "rdof"))
deduplications = st.builds(
    lambda extend, ttl, **other: Deduplication(ttl=ttl, extend=extend and ttl is not None, **other),
    key=st.sampled_from(("d1", "d2")),
    ttl=st.sampled_from((None, None, 60.0, 600.0)),
    extend=st.booleans(),
    replace=st.booleans(),
    reschedule=st.booleans(),
    keep_last_if_active=st.booleans(),
)


@st.composite
def new_jobs(draw: st.DrawFn) -> NewJob:
    """A job to be added by itself."""
    return NewJob(
        draw(st.sampled_from(("job", "other"))),
        draw(st.sampled_from((0, {"key": "value"}))),
        delay=draw(delays) / 1000,
        priority=draw(st.sampled_from((0, 0, 0, 1, 2, 7))),
        lifo=draw(st.booleans()),
        job_id=draw(st.sampled_from((None, None, None, "x", "y", "z"))),
        deduplication=draw(st.one_of(st.none(), st.none(), deduplications)),
        attempts=draw(st.integers(1, 3)),
    )


outcomes = st.fixed_dictionaries(
    {
        "kind": st.sampled_from("cccffrswl"),
        "keep_count": st.sampled_from((-1, -1, -1, 0, 1, 2)),
        "keep_age_ms": st.sampled_from((-1, -1, 1, 5 * MINUTE)),
        "delay_ms": delays,
        "attempts": st.integers(1, 3),
        "lifo": st.booleans(),
    }
)

ends_at = datetime.fromtimestamp(START / 1000, UTC) + timedelta(minutes=7)
schedules = st.sampled_from(
    (
        Every(60.0),
        Every(60.0, missed=Missed.skip(30.0)),
        Every(120.0, 30.0),
        Every(600.0, limit=2),
        Every(60.0, missed=Missed.all(3)),
        Every(60.0, end=ends_at),
        Cron("*/2 * * * *"),
        Cron("*/5 * * * *", end=ends_at),
        Cron("* * * * *", missed=Missed.all(2)),
    )
)
scheduler_ids = st.sampled_from(("s1", "s1", "s2"))


class Machine(RuleBasedStateMachine):
    """One example: two queues of their own, on the server and in the model."""

    real: Real

    def __init__(self) -> None:
        super().__init__()
        self.twins = Twins(self.real, f"model{os.getpid()}x{next(_examples)}", NAMES)
        statistics["examples"] += 1

    def teardown(self) -> None:
        self.real.end()

    @invariant()
    def all_states_agree(self) -> None:
        statistics["steps"] += 1
        told = self.twins.differences()
        assert not told, "\n".join(told)

    # Adding

    @initialize(jobs=st.lists(new_jobs(), min_size=2, max_size=6))
    def begin(self, jobs: list[NewJob]) -> None:
        self.twins.each[NAMES[0]].add([add_arguments(job) for job in jobs])

    @rule(name=queues, jobs=st.lists(new_jobs(), min_size=1, max_size=4))
    def add(self, name: str, jobs: list[NewJob]) -> None:
        self.twins.each[name].add([add_arguments(job) for job in jobs])

    @rule(
        name=queues,
        root=new_jobs(),
        root_policy=policies,
        parent=st.one_of(st.none(), picks),
        children=st.lists(st.tuples(queues, new_jobs(), policies, st.booleans()), max_size=3),
    )
    def add_flow(
        self,
        name: str,
        root: NewJob,
        root_policy: str | None,
        parent: int | None,
        children: list[tuple[str, NewJob, str | None, bool]],
    ) -> None:
        bases = {each: keys.base for each, keys in self.twins.keys.items()}
        above = None
        if parent is not None:
            above = JobRef(NAMES[0], self.twins.each[NAMES[0]].any_job(parent), self.twins.prefix)
        jobs = [flow_arguments(bases[name], member(root, above, root_policy), 0, bool(children))]
        below_first = any(deeper for *_, deeper in children[1:])
        for i, (where, job, policy, deeper) in enumerate(children):
            place = 2 if deeper and i > 0 else 1
            jobs.append(
                flow_arguments(bases[where], member(job, None, policy), place, i == 0 and below_first)
            )
        own = [job[0] + job[1] for job in jobs if job[1]]
        if above is not None:
            own.append(bases[above.queue] + above.id)
        if len(own) == len(set(own)):
            self.twins.each[name].add_flow(jobs)

    # Working

    @rule(name=queues, wanted=st.integers(1, 4), limited=st.sampled_from((False, False, True)))
    def fetch(self, name: str, wanted: int, limited: bool) -> None:
        self.twins.each[name].commit([], wanted, limited=limited)

    @rule(name=queues, slots=st.integers(1, 3))
    def wake(self, name: str, slots: int) -> None:
        self.twins.each[name].wake(slots)

    @rule(name=queues, pick=picks, ends=st.lists(outcomes, min_size=1, max_size=3), wanted=st.integers(0, 3))
    def settle(self, name: str, pick: int, ends: list[dict[str, object]], wanted: int) -> None:
        twin = self.twins.each[name]
        held = sorted(twin.queue.locks)
        settlements = [
            settlement(
                held[(pick + i) % len(held)], twin.queue.locks[held[(pick + i) % len(held)]].value, end
            )
            for i, end in enumerate(ends[: len(held)])
        ]
        twin.commit(settlements, wanted)

    @rule(name=queues, ends=st.lists(outcomes, min_size=1, max_size=3), more=st.integers(0, 2))
    def work_through(self, name: str, ends: list[dict[str, object]], more: int) -> None:
        """Fetch some jobs and settle just these."""
        twin = self.twins.each[name]
        before = set(twin.queue.locks)
        twin.commit([], len(ends))
        self.all_states_agree()
        taken = sorted(set(twin.queue.locks) - before)
        twin.commit(
            [
                settlement(job_id, twin.queue.locks[job_id].value, end)
                for job_id, end in zip(taken, ends, strict=False)
            ],
            more,
        )

    @rule(name=queues, pick=picks, most=st.integers(0, 2))
    def a_worker_dies(self, name: str, pick: int, most: int) -> None:
        self.twins.each[name].lose_lock(pick)
        for _ in range(2):
            self.twins.advance(2 * MINUTE)
            self.twins.each[name].recover_stalled(most)
            self.all_states_agree()

    @rule(name=queues, most=st.integers(0, 2))
    def recover_stalled(self, name: str, most: int) -> None:
        self.twins.each[name].recover_stalled(most)

    @rule(ms=st.sampled_from((1, 20, 300, MINUTE, 2 * MINUTE, 10 * MINUTE)))
    def time_passes(self, ms: int) -> None:
        self.twins.advance(ms)

    # Schedulers

    @rule(name=queues, scheduler=scheduler_ids, when=schedules, job=new_jobs())
    def upsert_scheduler(self, name: str, scheduler: str, when: When, job: NewJob) -> None:
        self.twins.each[name].upsert_scheduler(scheduler, when, job)

    @rule(
        name=queues,
        verb=st.sampled_from(("advance", "advance", "advance_wrongly", "heal", "remove", "apply")),
        pick=picks,
        when=schedules,
        number=st.integers(0, 3),
    )
    def schedule(self, name: str, verb: str, pick: int, when: When, number: int) -> None:
        twin = self.twins.each[name]
        scheduler = chosen(twin.queue.schedulers, pick)
        match verb:
            case "advance" | "advance_wrongly" if scheduler:
                taken = job_at(scheduler, twin.queue.schedulers[scheduler].next_run)
                lock = twin.queue.locks.get(taken)
                if lock or number == 0:
                    token = lock.value if lock and verb == "advance" else "wrong"
                    twin.advance_scheduler(scheduler, taken, token)
            case "heal":
                twin.heal_schedulers()
            case "remove":
                twin.remove_scheduler(scheduler or "none")
            case "apply":
                declared = [
                    Declared(each, when, NewJob("declared", number)) for each in ("s2", "s3")[: number % 3]
                ]
                twin.apply_schedules(("app", "other")[pick % 2], 1 + number // 2, declared)

    # Steering

    @rule(
        name=queues,
        pick=picks,
        verb=st.sampled_from(JOB_VERBS),
        number=st.integers(0, 3),
    )
    def steer_a_job(self, name: str, pick: int, verb: str, number: int) -> None:
        twin = self.twins.each[name]
        job_id = twin.any_job(pick)
        match verb:
            case "promote":
                twin.promote(chosen(twin.queue.delayed, pick) or job_id)
            case "retry":
                twin.retry(chosen([*twin.queue.failed, *twin.queue.completed], pick) or job_id, number > 0)
            case "remove" | "remove_children":
                twin.remove(job_id, verb == "remove_children")
            case "progress":
                twin.progress(job_id, "50")
            case "cancel":
                twin.cancel(job_id, "enough" if number else "")
            case "lose_lock":
                twin.lose_lock(pick)
            case "extend_locks" | "extend_wrongly":
                tokens = {each: lock.value for each, lock in twin.queue.locks.items()}
                twin.extend_locks(tokens if verb == "extend_locks" else {**tokens, job_id: "wrong"})
            case "settle_wrongly":
                twin.commit([Settlement("c", job_id, "wrong", "1")], 0)
            case "leave_parent":
                twin.leave_parent(job_id)
            case "remove_pending_children":
                twin.remove_pending_children(job_id)
            case "change_delay":
                twin.change_delay(chosen(twin.queue.delayed, pick) or job_id, number * 1000)
            case "change_priority":
                twin.change_priority(job_id, number, pick % 2 == 0)
            case "update_data":
                twin.update_data(job_id, str(number))
            case "log":
                twin.log(job_id, f"line {number}", number or None)
            case "release_deduplication":
                twin.release_deduplication("d1", job_id if number else "")

    @rule(
        name=queues,
        verb=st.sampled_from(QUEUE_VERBS),
        number=st.integers(0, 3),
        state=st.sampled_from(STATES),
        pick=picks,
    )
    def steer_a_queue(self, name: str, verb: str, number: int, state: str, pick: int) -> None:
        twin = self.twins.each[name]
        match verb:
            case "pause" | "resume":
                twin.set_paused(verb == "pause")
            case "drain":
                twin.drain(number > 1, 1 + pick % 4)
            case "obliterate":
                twin.obliterate(number > 1, 1 + pick % 4)
            case "retain":
                twin.retain_finished()
            case "clean":
                twin.clean(state, (0, 1, 300, MINUTE)[number], 1 + pick, 1 + pick % 4)
            case "promote":
                twin.promote_many(1 + number)
            case "retry":
                twin.retry_many("completed" if number == 1 else "failed", 1 + number, number > 1)
            case "concurrency":
                twin.set_limits(concurrency=number or None)
            case "rate":
                twin.set_limits(max=number or None, duration=number * MINUTE if number else None)
            case "block":
                twin.block(max(0, number - 1) * MINUTE)


def member(job: NewJob, parent: JobRef | None, policy: str | None) -> NewJob:
    """The same job as a part of a flow, which can have no deduplication."""
    options = job.options
    return NewJob(
        job.name,
        job.data,
        delay=options.delay,
        priority=options.priority,
        lifo=options.lifo,
        job_id=options.job_id,
        attempts=options.attempts,
        parent=parent,
        on_failure=policy,
    )


def settlement(job_id: str, token: str, end: dict[str, object]) -> Settlement:
    """How a run has ended."""
    text = '{"ok":1}' if end["kind"] == "c" else "why"
    if end["kind"] == "l":
        end = {**end, "delay_ms": 2 * MINUTE}
    trace = "[]" if end["kind"] == "c" else '["line"]'
    return Settlement(job_id=job_id, token=token, text=text, trace=trace, **end)  # type: ignore[arg-type]
