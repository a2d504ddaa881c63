"""Producers that are killed while they add: each call is carried out whole, or not at all."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter

import pytest

import toril

PRODUCER = """
import asyncio, sys
import toril

url, queue_name, kind = sys.argv[1:]

async def main():
    async with toril.Queue(queue_name, url) as queue, toril.FlowProducer(url) as flows:
        print("ready", flush=True)
        number = 0
        while True:
            if kind == "many":
                # Three calls of the server, each with 500 jobs at the most.
                await queue.add_many([toril.NewJob("x", [number, i // 500]) for i in range(1500)])
            else:
                children = [toril.FlowJob("x", queue_name, [number, 0]) for _ in range(400)]
                await flows.add(toril.FlowJob("x", queue_name, [number, 0], children=children))
            print(number, flush=True)
            number += 1

asyncio.run(main())
"""


@pytest.mark.parametrize(("kind", "size"), [("many", 500), ("flow", 401)])
async def test_a_producer_killed_in_mid_call_leaves_whole_calls(
    valkey_url: str, queue_name: str, kind: str, size: int
) -> None:
    rng = random.Random(7)
    for attempt in range(4):
        async with toril.Queue(f"{queue_name}-{attempt}", valkey_url) as queue:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PRODUCER, valkey_url, queue.name, kind),
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdout is not None
            await process.stdout.readline()
            await asyncio.sleep(rng.uniform(0.0, 0.15))  # at any moment of a call
            process.send_signal(signal.SIGKILL)
            acknowledged = [int(line) for line in (await process.communicate())[0].split()]
            found: Counter[tuple[int, int]] = Counter()
            for state in ("waiting", "waiting-children"):
                start = 0
                while page := await queue.get_jobs(state, start, start + 999):
                    start += 1000
                    found.update((job.data[0], job.data[1]) for job in page)
            assert set(found.values()) <= {size}
            chunks = range(3) if kind == "many" else range(1)
            for number in acknowledged:
                assert all(found[number, chunk] == size for chunk in chunks)
            await queue.pause()
            await queue.obliterate()
