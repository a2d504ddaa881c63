"""toril's side of the mixed run, as tests/node/mixed.mjs: `python mixed_side.py URL produce|work …`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import toril


def keywords(wire: dict[str, Any]) -> dict[str, Any]:
    """BullMQ's options of a job as toril's."""
    names = {"jobId": "job_id", "removeOnComplete": "keep_completed"}
    made = {names.get(key, key): value for key, value in wire.items()}
    if "delay" in made:
        made["delay"] /= 1000
    if "backoff" in made:
        made["backoff"] = toril.Backoff(made["backoff"]["type"], made["backoff"]["delay"] / 1000)
    if "keep_completed" in made:
        made["keep_completed"] = False
    for name, policy in (
        ("failParentOnFailure", toril.OnFailure.FAIL_PARENT),
        ("ignoreDependencyOnFailure", toril.OnFailure.IGNORE),
        ("removeDependencyOnFailure", toril.OnFailure.REMOVE),
    ):
        if made.pop(name, False):
            made["on_failure"] = policy
    return made


def tree(wire: dict[str, Any]) -> toril.FlowJob:
    children = [tree(child) for child in wire.get("children", ())]
    return toril.FlowJob(
        wire["name"], wire["queueName"], wire["data"], children=children, **keywords(wire["opts"])
    )


def walk(node: toril.FlowNode) -> list[toril.Job]:
    return [node.job, *(job for child in node.children for job in walk(child))]


def read(file: str) -> list[dict[str, Any]]:
    return list(json.loads(Path(file).read_text()))


async def produce(url: str, file: str) -> None:
    queues: dict[str, toril.Queue] = {}
    flows = toril.FlowProducer(url)
    for batch in read(file):
        name, jobs = batch["queue"], batch["jobs"]
        if name not in queues:
            queues[name] = toril.Queue(name, url)
        queue = queues[name]
        if batch["kind"] == "flow":
            added = walk(await flows.add(tree(jobs[0])))
        elif batch["kind"] == "bulk":
            added = await queue.add_many(
                [toril.NewJob(job["name"], job["data"], **keywords(job["opts"])) for job in jobs]
            )
        else:
            added = await asyncio.gather(
                *(queue.add(job["name"], job["data"], **keywords(job["opts"])) for job in jobs)
            )
        print(json.dumps([[job.data["plan"], job.queue, job.id] for job in added]), flush=True)
    for queue in queues.values():
        await queue.close()
    await flows.close()


async def work(url: str, *names: str) -> None:
    runs: Counter[str] = Counter()

    async def handler(job: toril.Job) -> object:
        runs[f"{job.queue}:{job.id}"] += 1
        if job.data["ms"]:
            await asyncio.sleep(job.data["ms"] / 1000)
        if job.attempts_made < job.data["fails"]:
            raise ValueError(f"attempt {job.attempts_made}")
        return {"by": "toril", "plan": job.data["plan"]}

    workers = [toril.Worker(name, handler, url=url, concurrency=50) for name in names]
    tasks = [asyncio.create_task(worker.run(handle_signals=False)) for worker in workers]
    await asyncio.to_thread(sys.stdin.read)
    for worker in workers:
        worker.stop()
    await asyncio.gather(*tasks)
    print(json.dumps(runs), flush=True)


if __name__ == "__main__":
    url, role, *rest = sys.argv[1:]
    asyncio.run(produce(url, rest[0]) if role == "produce" else work(url, *rest))
