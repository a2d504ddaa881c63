"""Many processes declare the same schedulers while workers run: one next job each, no run lost or doubled."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys

import toril

from .conftest import Look, Working

EVERY_MS = 50

BOOT = """
import asyncio, sys
import toril

app = toril.Toril(sys.argv[1])

@app.job(sys.argv[2])
async def tick(n: int) -> None: ...

app.schedule("every", toril.Every(0.05), tick, n=0)
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


def assert_no_gap(instants: list[int], step: int) -> None:
    assert len(set(instants)) == len(instants), "an instant ran twice"
    ordered = sorted(instants)
    gaps = [b - a for a, b in itertools.pairwise(ordered)]
    assert all(gap % step == 0 for gap in gaps), gaps


async def test_scheduler_doubled_or_vanished_on_concurrent_boot(
    queue: toril.Queue, working: Working, look: Look
) -> None:
    """20 processes put the same set in place ten times each, of two releases that differ in one job."""
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
        )
        for i in range(20)
    ]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()
    done = asyncio.Event()
    async with working(count=3) as runs:
        onlooker = asyncio.create_task(only_one_next_job(queue, done))
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        ended = [await process.wait() for process in processes]
        await runs.count(len(runs.jobs) + 40)
        while len([job for job in runs.jobs if job.scheduler_id == "cron"]) < 3:
            await asyncio.sleep(0.02)
        done.set()
        looks = await onlooker
    assert ended == [0] * 20
    assert looks > 100
    by_scheduler: dict[str, list[int]] = {"every": [], "cron": []}
    for job in runs.jobs:
        by_scheduler[job.scheduler_id or ""].append(int(job.id.rpartition(":")[2]))
    assert_no_gap(by_scheduler["every"], EVERY_MS)
    assert_no_gap(by_scheduler["cron"], 1000)
    # Not one second is without its run: the pattern has not changed, though the job has, again and again.
    assert {b - a for a, b in itertools.pairwise(sorted(by_scheduler["cron"]))} == {1000}
    assert {each.id for each in await queue.get_job_schedulers()} == {"every", "cron"}
    assert len(await look.pending()) == 2
