"""Many processes declare the same schedulers while workers run: one next job each, no run lost or doubled."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys

import pytest

import toril

from .conftest import Look, Working

EVERY_MS = 50
EVERY = toril.Every(EVERY_MS / 1000, missed=toril.Missed.all(1000))

BOOT = """
import asyncio, sys
import pytest

import toril

app = toril.Toril(sys.argv[1])

@app.job(sys.argv[2])
async def tick(n: int) -> None: ...

app.schedule("every", toril.Every(0.05, missed=toril.Missed.all(1000)), tick, n=int(sys.argv[3]))
app.schedule("cron", toril.Cron("* * * * * *"), tick, n=int(sys.argv[3]))

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(10):
        await app.apply_schedules()
    await app.close()

asyncio.run(main())
"""


async def only_one_next_job(queue: toril.Queue, done: asyncio.Event) -> int:
    """Look again and again; each look is one step on the server."""
    script = """
      local seen = {}
      for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do seen[id] = (seen[id] or 0) + 1 end
      for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do seen[id] = (seen[id] or 0) + 1 end
      for _, id in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do seen[id] = (seen[id] or 0) + 1 end
      local schedulers, wrong = redis.call('ZRANGE', KEYS[4], 0, -1, 'WITHSCORES'), {}
      for i = 1, #schedulers, 2 do
        local newest = 'repeat:' .. schedulers[i] .. ':' .. schedulers[i + 1]
        if seen[newest] ~= 1 then wrong[#wrong + 1] = newest end
        local waiting = 0
        for id in pairs(seen) do
          local its = string.find(id, 'repeat:' .. schedulers[i] .. ':', 1, true)
          if its and redis.call('EXISTS', KEYS[5] .. id .. ':lock') == 0 then waiting = waiting + 1 end
        end
        if waiting > 1 then wrong[#wrong + 1] = schedulers[i] .. ' has ' .. waiting end
      end
      return wrong
    """
    keys = queue.store.keys
    looks = 0
    async with toril.Queue(queue.name, queue.url) as other:
        while not done.is_set():
            wrong = await other.store.connection.call(
                "EVAL", script, 5, keys.delayed, keys.wait, keys.active, keys.repeat, keys.base
            )
            assert wrong == [], wrong
            looks += 1
            await asyncio.sleep(0.002)
    return looks


def gaps(instants: list[int]) -> set[int]:
    return {b - a for a, b in itertools.pairwise(sorted(instants))}


@pytest.mark.slow
async def test_scheduler_doubled_or_vanished_on_concurrent_boot(
    queue: toril.Queue, working: Working, look: Look
) -> None:
    """20 processes put the same set in place ten times each, of two versions whose jobs differ."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            BOOT,
            queue.url,
            queue.name,
            str(i % 2),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for i in range(20)
    ]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()
    done = asyncio.Event()
    await queue.upsert_job_scheduler("every", EVERY, "tick", {"n": 2})
    async with working(count=3) as runs:
        await runs.count(5)
        onlooker = asyncio.create_task(only_one_next_job(queue, done))
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        errors = [(await process.communicate())[1].decode() for process in processes]
        await runs.count(len(runs.jobs) + 40)
        while len([job for job in runs.jobs if job.scheduler_id == "cron"]) < 3:
            await asyncio.sleep(0.02)
        done.set()
        looks = await onlooker
    assert errors == [""] * 20
    assert [process.returncode for process in processes] == [0] * 20
    assert looks > 100
    by_scheduler: dict[str, list[int]] = {"every": [], "cron": []}
    for job in runs.jobs:
        by_scheduler[job.scheduler_id or ""].append(int(job.id.rpartition(":")[2]))
    # Each instant once: no gap of 0, and none of two steps.
    assert gaps(by_scheduler["every"]) == {EVERY_MS}
    assert gaps(by_scheduler["cron"]) == {1000}
    assert {each.id for each in await queue.get_job_schedulers()} == {"every", "cron"}
    assert len(await look.pending()) == 2
