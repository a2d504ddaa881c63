"""QueueEvents: typed, resumable, and never a silent gap."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

import toril
from toril import events
from toril.queue.publishing import TAKEN


async def handler(job: toril.Job) -> object:
    if job.name == "fail":
        raise ValueError("no")
    await job.update_progress({"at": 1})
    return {"ok": True}


async def take(reader: toril.QueueEvents, last: type[events.Event]) -> list[events.Event]:
    found: list[events.Event] = []
    async with asyncio.timeout(10):
        async for event in reader:
            found.append(event)
            if isinstance(event, last):
                break
    return found


async def add_again(queue: toril.Queue, name: str) -> None:
    """The first call after a restart finds its connection broken."""
    with contextlib.suppress(toril.ConnectionFailed):
        await queue.get_job_counts()
    await queue.add(name)


async def test_every_kind_of_event_is_typed(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        job = await queue.add("work", job_id="one")
        await queue.add("work", job_id="one")
        await queue.add("work", deduplication=toril.Deduplication("k"), job_id="held")
        await queue.add("work", deduplication=toril.Deduplication("k"))
        await queue.remove("held")
        await queue.add("work", delay=3600, job_id="later")
        await queue.pause()
        await queue.resume()
        worker = toril.Worker(queue.name, handler, url=valkey_url)
        task = asyncio.create_task(worker.run(handle_signals=False))
        await job.wait(5)
        with pytest.raises(toril.JobFailed):
            await (await queue.add("fail", job_id="bad")).wait(5)
        await queue.clean(toril.JobState.COMPLETED)
        worker.stop()
        await task
        found = await take(reader, events.Cleaned)

    by_kind = {type(event): event for event in found}
    assert set(by_kind) >= {
        events.Added, events.Waiting, events.Duplicated, events.Deduplicated, events.Removed, events.Delayed,
        events.Paused, events.Resumed, events.Active, events.Progress, events.Completed, events.Failed,
        events.RetriesExhausted, events.Drained, events.Cleaned,
    }  # fmt: skip
    assert [event.name for event in found if isinstance(event, events.Added)] == ["work"] * 3 + ["fail"]
    for event in found:
        match event:
            case events.Completed(job_id=job_id):
                assert (job_id, event.return_value, event.prev) == ("one", {"ok": True}, "active")
            case events.Failed():
                assert (event.job_id, event.failed_reason) == ("bad", "no")
            case events.RetriesExhausted():
                assert event.attempts_made == 1
            case events.Progress():
                assert event.progress == {"at": 1}
            case events.Delayed():
                assert 3590 < (event.due - datetime.now(UTC)).total_seconds() < 3610
            case events.Deduplicated():
                assert event.deduplication_id == "k"
            case events.Cleaned():
                assert (event.count, event.job_id) == (1, None)
            case _:
                assert isinstance(event, events.JobEvent | events.Drained | events.Paused | events.Resumed)
    cursors = [event.cursor for event in found]
    assert len(set(cursors)) == len(cursors)


@pytest.mark.parametrize("label", [*events.KINDS, "custom"])
def test_what_cannot_be_read_is_told_when_it_is_asked_for(label: str) -> None:
    fields = {b"event": label.encode(), b"returnvalue": b"{", b"data": b"{", b"delay": b"x", b"count": b"x"}
    if issubclass(events.KINDS.get(label, events.JobEvent), events.JobEvent):
        fields[b"jobId"] = b"7"
    event = events.event_of({**fields, b"attemptsMade": b"x"}, "1-1")
    assert (event.type, event.cursor) == (label, "1-1")
    for name in ("return_value", "progress", "due", "count", "attempts_made"):
        if hasattr(type(event), name):
            with pytest.raises(toril.InvalidPayload, match="1-1"):
                getattr(event, name)


def test_a_known_type_without_its_job_is_a_plain_event() -> None:
    assert type(events.event_of({b"event": b"completed"}, "1-1")) is events.Event
    assert type(events.event_of({b"event": b"new-in-bullmq-9", b"jobId": b"1"}, "1-1")) is events.Event
    assert type(events.event_of({}, "1-1")) is events.Event


async def test_custom_events(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        cursor = await queue.publish_event("imported", {"rows": "12", "jobId": "7"})
        event = await reader.first(events.Event, timeout=5)
    assert event == events.Event("imported", "7", {"rows": "12"}, cursor)


@pytest.mark.parametrize(
    ("name", "fields"),
    [("", {}), ("completed", {}), ("mine", {"event": "x"}), ("mine", {"rows": 12}), (None, {})],
)
async def test_wrong_custom_events_are_refused(queue: toril.Queue, name: str, fields: dict[str, str]) -> None:
    with pytest.raises(toril.InvalidOption):
        await queue.publish_event(name, fields)
    assert await queue.trim_events(0) == 0


def test_every_type_of_bullmq_is_kept_from_custom_events() -> None:
    assert {*events.KINDS, "error"} == TAKEN


async def test_a_reader_goes_on_behind_a_kept_cursor(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        await queue.add("a")
        assert (await reader.first(events.Added, timeout=5)).name == "a"
        kept = reader.cursor
    await queue.add("b")
    async with toril.QueueEvents(queue.name, valkey_url, since=kept) as reader:
        assert await reader.start() == kept
        found = await take(reader, events.Added)
    assert [type(event) for event in found] == [events.Waiting, events.Added]


async def test_trimmed_events_are_told(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        kept = await reader.start()
        await queue.add("a")
        await queue.add("b")
        assert await queue.trim_events(1) == 3
        missed, last = await take(reader, events.Waiting)
        assert isinstance(missed, toril.EventsMissed)
        assert (missed.cursor, last.job_id) == (kept, "2")
        await queue.trim_events(0)
        await queue.add("c")
        assert type((await take(reader, events.Added))[0]) is events.Added  # it had read all that went


async def test_a_gap_is_told_once(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        for name in "abc":
            await queue.add(name)
        await queue.trim_events(2)
        with pytest.raises(toril.EventsLost):
            await reader.first(events.Added, job_id="1", timeout=5)
        assert (await reader.first(events.Added, timeout=5)).name == "c"


async def test_a_cursor_whose_event_is_gone_is_told(queue: toril.Queue, valkey_url: str) -> None:
    for name in "ab":
        await queue.add(name)
    await queue.trim_events(1)
    for since in ("0-0", "5-5"):
        async with toril.QueueEvents(queue.name, valkey_url, since=since) as reader:
            kinds = [type(event) for event in await take(reader, events.Waiting)]
            assert kinds == [toril.EventsMissed, events.Waiting]


async def test_all_of_an_untrimmed_stream_can_be_read(queue: toril.Queue, valkey_url: str) -> None:
    await queue.add("a")
    async with toril.QueueEvents(queue.name, valkey_url, since="0-0") as reader:
        assert [type(each) for each in await take(reader, events.Waiting)] == [events.Added, events.Waiting]


async def test_a_removed_stream_is_told(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        await queue.add("a")
        await reader.first(events.Waiting, timeout=5)
        await queue.pause()
        await queue.obliterate()
        await queue.add("b")
        found = await take(reader, events.Added)
    assert isinstance(found[-2], toril.EventsMissed)
    assert found[-1].job_id == "1"


async def test_a_stream_made_anew_by_a_clock_behind_is_told(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url, since=f"{2**52}-0") as reader:
        await queue.add("a")
        kinds = [type(event) for event in await take(reader, events.Waiting)]
    assert kinds == [toril.EventsMissed, events.Added, events.Waiting]


def test_what_is_no_cursor_is_refused() -> None:
    with pytest.raises(toril.InvalidOption, match="cursor"):
        toril.QueueEvents("q", since="$")


async def test_many_events_are_read_in_order(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        await queue.add_many([toril.NewJob("x") for _ in range(1200)])
        await queue.remove("1200")
        seen = [event.job_id for event in (await take(reader, events.Removed))[:-1]]
    assert seen == [str(number) for number in range(1, 1201) for _ in range(2)]


async def test_first_gives_up_in_time(queue: toril.Queue, valkey_url: str) -> None:
    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        with pytest.raises(TimeoutError):
            await reader.first(events.Completed, timeout=0.1)


async def test_until_misses_nothing_between_the_look_and_the_next_event(
    queue: toril.Queue, valkey_url: str
) -> None:
    looks = 0

    async def check() -> toril.Job | None:
        nonlocal looks
        looks += 1
        found = await queue.get_job("mine")
        if looks == 1:
            await queue.add("x", job_id="mine")  # right behind the look
        return found

    async with toril.QueueEvents(queue.name, valkey_url) as reader:
        assert (await reader.until(check, timeout=5)).id == "mine"
        assert looks == 2
        assert (await reader.until(check, timeout=5)).id == "mine"
        assert looks == 3
        with pytest.raises(TimeoutError):
            await reader.until(queue.is_paused, timeout=0.1)


async def test_a_reader_lives_through_a_restart(queue_name: str) -> None:
    with toril.EmbeddedServer(appendonly="always") as server:
        async with (
            toril.Queue(queue_name, server.url) as queue,
            toril.QueueEvents(queue_name, server.url) as reader,
        ):
            await queue.add("a")
            assert (await reader.first(events.Added, timeout=5)).name == "a"
            waiting = asyncio.create_task(reader.first(events.Added, timeout=20))
            server.kill()
            server.restart()
            await add_again(queue, "b")
            assert (await waiting).name == "b"


async def test_a_restart_that_has_lost_the_stream_is_told(queue_name: str) -> None:
    with toril.EmbeddedServer() as server:
        async with (
            toril.Queue(queue_name, server.url) as queue,
            toril.QueueEvents(queue_name, server.url) as reader,
        ):
            await queue.add("a")
            await reader.first(events.Waiting, timeout=5)
            server.kill()
            server.restart()
            await add_again(queue, "b")
            kinds = [type(event) for event in await take(reader, events.Waiting)]
            assert kinds == [toril.EventsMissed, events.Added, events.Waiting]
