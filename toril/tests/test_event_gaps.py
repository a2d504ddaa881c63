"""Whatever is written, trimmed and removed between two reads: no gap is silent, and none is invented."""

from __future__ import annotations

import asyncio
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import toril
from toril.storage.events import Cursor, EventStore

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 7)),
        st.tuples(st.just("trim"), st.integers(0, 9)),
        st.tuples(st.just("read"), st.integers(1, 6)),
        st.tuples(st.just("obliterate"), st.just(0)),
        st.tuples(st.just("keep the cursor as a text"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_gap_is_silent_and_none_is_invented(valkey_url: str, steps: list[tuple[str, int]]) -> None:
    asyncio.run(_play(valkey_url, steps))


async def _play(url: str, steps: list[tuple[str, int]]) -> None:
    async with toril.Queue(f"gaps-{uuid.uuid4().hex[:8]}", url) as queue:
        stream = EventStore(queue.store.connection, queue.store.keys)
        standing: list[str] = []  # events that a reader behind the cursor can read
        unread = 0  # events behind the cursor, gone ones too
        removed = False  # whether the stream was removed since the last read
        written = 0  # events of this stream, gone ones too
        cursor = await stream.end()
        is_text = False
        for verb, number in [*steps, ("read", 1000)]:
            if verb == "publish":
                standing += [await queue.publish_event("x", {"n": str(n)}) for n in range(number)]
                unread += number
                written += number
            elif verb == "trim":
                await queue.trim_events(number)
                standing = standing[len(standing) - number :] if number < len(standing) else standing
            elif verb == "obliterate":
                removed = removed or cursor.id != "0-0" or unread > 0
                await queue.pause()
                await queue.obliterate()
                await _next_millisecond(queue)  # within the same one the new ids may be the old ones
                await queue.resume()
                # The stream begins anew, with the event that tells of the resume.
                found = await queue.store.connection.call("XRANGE", queue.store.keys.events, "-", "+")
                standing = [entry_id.decode() for entry_id, _ in found]
                unread = written = len(standing)
            elif verb == "keep the cursor as a text":
                cursor = Cursor.kept(cursor.id)
                is_text = cursor.number < 0
            else:
                batch = await stream.read(cursor, number)
                assert await stream.read_ends(cursor, number) == (batch.missed, batch.cursor, [])
                behind = standing[-unread:] if unread else []
                if removed:
                    assert batch.missed or written - len(standing) == cursor.number  # see `Batch`
                elif len(behind) < unread:
                    assert batch.missed
                elif not is_text:
                    assert not batch.missed
                assert [entry.cursor.id for entry in batch.entries] == behind[:number]
                unread = len(behind) - len(batch.entries)
                removed = False
                is_text = is_text and batch.cursor.number < 0
                cursor = batch.cursor


async def _next_millisecond(queue: toril.Queue) -> None:
    async def now() -> int:
        seconds, micros = await queue.store.connection.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    begin = await now()
    while await now() == begin:
        pass
