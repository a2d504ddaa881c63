"""What the machine has found, each as small as it can be: model and engine agree on it now."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from model.real import Real, moved_scripts
from model.run import own_database
from model.scheduling import job_at
from model.twin import Twin, Twins
from toril.codec import add_arguments, flow_arguments
from toril.job import NewJob
from toril.options import Deduplication
from toril.schedule import Cron, Every
from toril.storage.work import Settlement


@pytest.fixture
def twins(valkey_url: str) -> Iterator[Twins]:
    with moved_scripts():
        real = Real(own_database(valkey_url))
        try:
            yield Twins(real, f"found{uuid.uuid4().hex}", ("a", "b"))
            real.end()
        finally:
            real.close()


@pytest.fixture
def twin(twins: Twins) -> Twin:
    return twins.each["a"]


def agree(twin: Twin) -> None:
    assert twin.twins.differences() == []


def add(twin: Twin, *jobs: NewJob) -> None:
    twin.add([add_arguments(job) for job in jobs])


def end(
    twin: Twin, job_id: str, kind: str = "c", *, keep_count: int = -1, keep_age_ms: int = -1
) -> Settlement:
    """The end of the run that has the job."""
    token = twin.queue.locks[job_id].value
    return Settlement(kind, job_id, token, "1", keep_count=keep_count, keep_age_ms=keep_age_ms)


def test_a_job_that_keeps_nothing_of_itself_takes_no_other_away(twin: Twin) -> None:
    add(twin, NewJob("x", 1), NewJob("x", 2))
    twin.commit([], 2)
    twin.commit([end(twin, "1")], 0)
    twin.commit([end(twin, "2", keep_count=0, keep_age_ms=60_000)], 0)
    assert twin.queue.completed.keys() == {"1"}
    agree(twin)


def test_what_is_to_follow_a_job_does_not_overwrite_one_of_its_id(twin: Twin) -> None:
    last = Deduplication.keep_last("d")
    add(twin, NewJob("x", None, deduplication=last))
    twin.commit([], 1)
    add(twin, NewJob("x", "follows", deduplication=last, job_id="own"))
    add(twin, NewJob("x", "came first", job_id="own"))
    twin.commit([end(twin, "1")], 0)
    assert twin.queue.wait == ["own"]
    agree(twin)


def test_what_is_to_follow_goes_with_the_last_job_of_its_key(twin: Twin) -> None:
    last = Deduplication.keep_last("d")
    add(twin, NewJob("x", None, deduplication=last))
    twin.commit([], 1)
    add(twin, NewJob("x", None, deduplication=last))
    twin.release_deduplication("d", "")
    twin.lose_lock(0)
    twin.remove("1", children=False)
    assert twin.queue.followers == {}
    agree(twin)


def test_a_parent_does_not_wait_for_a_child_that_was_replaced(twins: Twins, twin: Twin) -> None:
    debounced = Deduplication.debounce("d", 600.0)
    add(twin, NewJob("x", None, job_id="own", deduplication=debounced))
    twin.commit([], 1)
    twin.commit([end(twin, "own", keep_count=0)], 0)
    base = twin.keys.base
    child = NewJob("child", None, job_id="own", delay=60.0)
    twin.add_flow(
        [
            flow_arguments(base, NewJob("parent", None), 0, has_children=True),
            flow_arguments(base, child, 1, has_children=False),
        ]
    )
    add(twin, NewJob("x", None, delay=60.0, deduplication=debounced))
    assert twin.queue.waiting_children == {}
    agree(twin)


def test_a_drain_sees_what_waits_behind_the_jobs_of_schedulers(twin: Twin) -> None:
    add(twin, NewJob("x", 1))
    twin.upsert_scheduler("s", Every(60.0), NewJob("y", 2))
    twin.drain(delayed=False, limit=1)
    assert len(twin.queue.wait) == 1
    agree(twin)


def test_a_clean_passes_over_a_failed_job_that_is_its_scheduler_s_next(twin: Twin) -> None:
    """As a run that failed before the next one was made leaves it."""
    twin.upsert_scheduler("s", Every(60.0), NewJob("x", 1))
    add(twin, NewJob("y", 2))
    twin.commit([], 2)
    next_one = job_at("s", twin.queue.schedulers["s"].next_run)
    twin.commit([end(twin, next_one, "f"), end(twin, "2", "f")], 0)
    twin.clean("failed", 0, 5, 1)
    assert twin.queue.failed.keys() == {next_one}
    agree(twin)


def test_a_worker_is_told_when_a_delayed_job_of_a_full_queue_is_due(twin: Twin) -> None:
    twin.set_limits(concurrency=1)
    add(twin, NewJob("x", 1), NewJob("x", 2, delay=60.0))
    twin.commit([], 1)
    assert twin.commit([], 1) == (0, 60_000)


def test_a_scheduler_made_again_after_its_next_runs_were_made_goes_on(twin: Twin) -> None:
    hourly, job = Cron("0 * * * *"), NewJob("x", 1)
    twin.upsert_scheduler("s", hourly, job)
    for _ in range(2):
        taken = job_at("s", twin.queue.schedulers["s"].next_run)
        twin.promote(taken)
        twin.commit([], 1)
        twin.advance_scheduler("s", taken, "")
        twin.commit([end(twin, taken)], 0)
    twin.remove_scheduler("s")
    twin.upsert_scheduler("s", hourly, job)
    agree(twin)
    twin.heal_schedulers()
    assert len(twin.queue.delayed) == 1
    agree(twin)
