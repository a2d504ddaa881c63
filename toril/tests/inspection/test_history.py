"""Surveys of a queue, and what is kept of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import toril
from toril.inspection.histogram import CLASSES, Histogram, bounds
from toril.inspection.history import Historian, merged, read_history
from toril.inspection.survey import Flow, Survey, Surveyor, mean_flow
from toril.storage.inspection import InspectionStore

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
COUNTS = {
    "waiting": 3, "active": 1, "paused": 0, "delayed": 2, "prioritized": 4, "completed": 9, "failed": 5,
    "waiting-children": 0,
}  # fmt: skip


def survey(at: datetime, **options: object) -> Survey:
    given: dict[str, object] = {
        "counts": COUNTS, "paused": False, "oldest_waiting": None, "flow": Flow(), "seconds": 2.0, **options,
    }  # fmt: skip
    return Survey(at=at, **given)  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2**30), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_wrong_by_less_than_its_class(durations: list[int], share: float) -> None:
    histogram = Histogram.of(durations)
    assert histogram.total == len(durations)
    assert Histogram.from_sparse(histogram.sparse()) == histogram
    found = histogram.quantile(share)
    assert found is not None
    exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    low, high = bounds(min(exact.bit_length(), CLASSES - 1))
    assert low <= found <= high
    assert Histogram().quantile(share) is None


def test_the_mean_flow_is_that_of_the_last_seconds() -> None:
    surveys = [survey(NOW, flow=Flow(100, 100, 100), seconds=60.0)]
    surveys += [survey(NOW, flow=Flow(1, 2, 3), seconds=5.0), survey(NOW, flow=Flow(3, 2, 1), seconds=5.0)]
    assert mean_flow(surveys, 10) == Flow(2, 2, 2)
    assert mean_flow([], 10) == Flow()


async def test_a_survey_counts_each_event_once_and_times_the_runs(queue: toril.Queue) -> None:
    surveyor = Surveyor(queue)
    await queue.add_many([toril.NewJob("x") for _ in range(20)])
    await asyncio.sleep(0.005)  # events of the present millisecond count next time
    first = await surveyor.survey()
    assert round(first.flow.added * first.seconds) == 20
    assert first.oldest_waiting is not None

    async def handler(job: toril.Job) -> None:
        await asyncio.sleep(0.03)
        if job.id.endswith("3"):
            raise ValueError("no")

    worker = toril.Worker(queue.name, handler, url=queue.url, concurrency=20)
    task = asyncio.create_task(worker.run(handle_signals=False))
    total: dict[str, float] = {"added": 0.0, "completed": 0.0, "failed": 0.0}
    ran = Histogram()
    async with asyncio.timeout(20):
        while total["completed"] + total["failed"] < 19.5:
            await asyncio.sleep(0.02)
            found = await surveyor.survey()
            total["added"] += found.flow.added * found.seconds
            total["completed"] += found.flow.completed * found.seconds
            total["failed"] += found.flow.failed * found.seconds
            ran.add(found.runs)
    worker.stop()
    await task
    assert [round(each) for each in total.values()] == [0, 18, 2]
    assert ran.total == 20
    middle = ran.quantile(0.5)
    assert middle is not None
    assert 0.015 < middle < 2


async def test_the_oldest_waiting_job_is_looked_for_in_all_priorities(queue: toril.Queue) -> None:
    await queue.add("old", priority=9)
    await asyncio.sleep(0.2)
    await queue.add_many(
        [toril.NewJob("new", priority=1), toril.NewJob("plain"), toril.NewJob("x", delay=60)]
    )
    found = await Surveyor(queue).survey()
    assert found.oldest_waiting is not None
    assert 0.19 < found.oldest_waiting < 10
    assert found.backlog == 3


async def test_a_busy_queue_is_judged_by_a_sample(queue: toril.Queue) -> None:
    surveyor = Surveyor(queue)
    await surveyor.survey()
    await queue.add_many([toril.NewJob("x") for _ in range(2000)])
    await asyncio.sleep(0.005)
    found = await surveyor.survey()
    # An add is two events; there was room for 250 of them.
    assert found.flow.added > 250


async def test_each_minute_is_written_once_by_whoever_is_first(queue: toril.Queue) -> None:
    await queue.add("x")
    one, two = Historian(queue), Historian(queue)
    runs = Histogram.of([5, 5, 900])
    for historian in (one, two):
        assert not await historian.note(survey(NOW, flow=Flow(1, 2, 0.5), runs=runs))
        assert not await historian.note(survey(NOW + timedelta(seconds=20), flow=Flow(1, 2, 0.5)))
    later = survey(NOW + timedelta(seconds=40))
    assert [await one.note(later), await two.note(later)] == [True, False]
    (point,) = await read_history(queue, NOW - timedelta(hours=1))
    assert point.at == NOW.replace(second=0)
    assert (point.added, point.completed, point.failed) == (4, 8, 2)
    assert (point.backlog, point.counts["delayed"]) == (7, 2)
    assert merged([point])[1] == runs
    assert await read_history(queue, NOW + timedelta(hours=1)) == []


async def test_history_goes_with_its_queue_and_makes_none(queue: toril.Queue) -> None:
    async def write(at: datetime) -> bool:
        historian = Historian(queue)
        await historian.note(survey(at))
        return await historian.note(survey(at + timedelta(minutes=1)))

    call, key = queue.store.connection.call, queue.store.keys.history
    assert not await write(NOW)
    assert not await call("EXISTS", key)
    await queue.add("x")
    assert await write(NOW)
    assert 0 < await call("PTTL", key) <= 8 * 86_400_000
    await queue.pause()
    await queue.obliterate()
    assert not await call("EXISTS", key)


async def test_what_another_version_wrote_is_left_out(queue: toril.Queue) -> None:
    await queue.add("x")
    await queue.store.connection.call("XADD", queue.store.keys.history, "5-0", "p", "[1,2]")
    assert await read_history(queue, datetime.fromtimestamp(0, UTC)) == []


async def test_history_is_bounded(queue: toril.Queue) -> None:
    await queue.add("x")
    store = InspectionStore(queue.store.connection, queue.store.keys)
    await asyncio.gather(*(store.keep_history(n * 60_000, b"[]", 100, 10_000) for n in range(1, 1000)))
    assert await queue.store.connection.call("XLEN", queue.store.keys.history) < 400
