"""toril's side: `python -m benchmarks.toril_side PORT QUEUE SCENARIO COUNT CONCURRENCY`; prints JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

import toril


async def measure(port: str, name: str, scenario: str, total: int, concurrency: int) -> dict[str, float]:
    """Add `total` jobs, and run them unless the scenario is `add`."""
    text = "a payload of about a hundred bytes, as an id and a short text would make it"
    keep = toril.Keep(count=1000)
    jobs = [toril.NewJob("x", {"i": i, "text": text}, keep_completed=keep) for i in range(total)]
    async with toril.Queue(name, f"valkey://127.0.0.1:{port}/0") as queue:
        begun = time.perf_counter()
        await queue.add_many(jobs)
        seconds = time.perf_counter() - begun
        seen: set[str] = set()
        runs = 0
        if scenario == "add":
            return {"seconds": seconds, "runs": runs, "distinct": 0}

        async def handler(job: toril.Job) -> None:
            nonlocal runs
            runs += 1
            seen.add(job.id)

        worker = toril.Worker(name, handler, url=queue.url, concurrency=concurrency)
        begun = time.perf_counter()
        running = asyncio.create_task(worker.run(handle_signals=False))
        counts = {"waiting": 1, "active": 1}
        while runs < total or counts["active"] or counts["waiting"]:
            await asyncio.sleep(0.01)
            if runs >= total:  # Node's side counts a job when it is settled, so does this one
                counts = await queue.get_job_counts()
        seconds = time.perf_counter() - begun
        worker.stop()
        await running
        return {"seconds": seconds, "runs": runs, "distinct": len(seen)}


if __name__ == "__main__":
    port, name, scenario, total, concurrency = sys.argv[1:6]
    print(json.dumps(uvloop.run(measure(port, name, scenario, int(total), int(concurrency)))))
