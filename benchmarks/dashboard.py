"""The dashboard on a long queue: `python -m benchmarks.dashboard [JOBS]`. Prints what each page takes.

`page ms` is the time in the dashboard's process, from request to answer (median and longest of several);
`server ms` is what Valkey worked for it, and `longest call` its longest script, both by its own slow log.
Goals: each page under 200 ms, no script over 5 ms.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from importlib import resources
from typing import Unpack

import httpx
import uvloop

import toril
from toril.storage.scripts import sha
from toril.web import Dashboard, anyone
from toril.web.doing import do_to_state
from toril.web.verbs import VERBS

REPEATS = 7
PAGE_GOAL, CALL_GOAL = 200.0, 5.0
"""Milliseconds."""
CHUNK = 10_000
QUEUE = "long"
SCRIPTS = [
    file.name.removesuffix(".lua")
    for file in (resources.files("toril.storage") / "lua").iterdir()
    if file.name.endswith(".lua")
]


async def fill(url: str, jobs: int) -> None:
    """A tenth has failed, two tenths have completed; the rest waits, is prioritized or delayed."""
    ended = jobs * 3 // 10
    done = 0
    finished = asyncio.Event()

    async def handler(job: toril.Job) -> None:
        nonlocal done
        done += 1
        if done == ended:
            finished.set()
        if done % 3 == 0:
            raise ValueError(f"no room for order {job.id}")

    async with toril.Queue(QUEUE, url) as queue:
        for start in range(0, ended, CHUNK):
            await queue.add_many([_job(n) for n in range(start, min(start + CHUNK, ended))])
        worker = toril.Worker(QUEUE, handler, url=url, concurrency=200)
        running = asyncio.create_task(worker.run(handle_signals=False))
        await finished.wait()
        worker.stop()
        await running
        kinds: list[toril.JobKeywords] = [{}, {"priority": 5}, {"delay": 1e6}]
        for start in range(ended, jobs, CHUNK):
            options = kinds[start // CHUNK % 3]
            await queue.add_many([_job(n, **options) for n in range(start, min(start + CHUNK, jobs))])


def _job(number: int, **options: Unpack[toril.JobKeywords]) -> toril.NewJob:
    data = {"userId": f"u{number}", "organizationId": f"o{number % 97}", "text": "x" * 60}
    return toril.NewJob("export", data, **options)


def paths(jobs: int, waiting: int) -> dict[str, str]:
    """The pages, by what they are called in the table."""
    base = f"/queues/{QUEUE}"
    return {
        "overview": "/",
        "queue": base,
        "queue, 24 hours": f"{base}?span=24h",
        "waiting, first page": f"{base}/jobs?state=waiting",
        "waiting, middle": f"{base}/jobs?state=waiting&start={waiting // 2}",
        "waiting, last page": f"{base}/jobs?state=waiting&start={waiting}",
        "failed, first page": f"{base}/jobs?state=failed",
        "delayed, middle": f"{base}/jobs?state=delayed&start={waiting // 2}",
        "search, nothing found": f"{base}/jobs?state=waiting&q=data.userId%3Dnobody",
        "search by a number": f"{base}/jobs?state=waiting&q=data.n%3D-1",
        "search by id": f"{base}/jobs?state=waiting&q={jobs // 2}",
        "waiting job": f"{base}/jobs/{jobs - CHUNK // 2}",
        "failed job": f"{base}/jobs/3",
        "failures": "/failures",
        "schedulers": "/schedulers",
        "workers": "/workers",
    }


def _named(words: Sequence[bytes]) -> str:
    """A command as a person calls it: a script by its file's name."""
    command = b" ".join(words[:1]).decode()
    script = next((name for name in SCRIPTS if len(words) > 1 and sha(name).encode() == words[1]), "")
    return script or command


async def main(url: str, jobs: int) -> bool:
    """Fill the queue, look at each page, print; returns whether all goals are met."""
    print(f"filling a queue with {jobs:,} jobs", file=sys.stderr, flush=True)
    await fill(url, jobs)
    met = True
    async with (
        toril.Queue(QUEUE, url) as queue,
        Dashboard(url, authorize=anyone) as dashboard,
        httpx.AsyncClient(transport=httpx.ASGITransport(dashboard), base_url="http://jobs.test") as client,
    ):
        call = queue.store.connection.call
        await call("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "100000")
        counts = await queue.get_job_counts()
        print(
            f"{jobs:,} jobs: " + ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
        )
        print(f"{'page':24}{'page ms':>10}{'longest':>10}{'server ms':>12}{'calls':>8}{'longest call':>14}")
        for name, path in paths(jobs, counts["waiting"]).items():
            # To forget a long log takes the server a while, which is none of the page's.
            await call("SLOWLOG", "RESET")
            (await client.get(path)).raise_for_status()
            await asyncio.sleep(0.5)
            await call("SLOWLOG", "RESET")
            took = []
            for _ in range(REPEATS):
                begun = time.perf_counter()
                (await client.get(path)).raise_for_status()
                took.append((time.perf_counter() - begun) * 1000)
            entries = [entry for entry in await call("SLOWLOG", "GET", -1) if entry[3][0] != b"SLOWLOG"]
            micros = [entry[2] for entry in entries]
            longest_call = max(micros, default=0) / 1000
            what = max(entries, key=lambda entry: entry[2], default=(0, 0, 0, ()))[3][:2]
            verdict = "" if max(took) < PAGE_GOAL and longest_call < CALL_GOAL else "  missed"
            met = met and not verdict
            print(
                f"{name:24}{statistics.median(took):>10.1f}{max(took):>10.1f}"
                f"{sum(micros) / 1000 / REPEATS:>12.2f}{len(micros) / REPEATS:>8.0f}"
                f"{longest_call:>14.2f}{verdict} {_named(what)}",
                flush=True,
            )
        for verb, state in (("promote", "delayed"), ("retry", "failed"), ("remove", "completed")):
            await call("SLOWLOG", "RESET")
            begun = time.perf_counter()
            moved, _ = await do_to_state(queue, VERBS[verb], toril.JobState(state), jobs)
            took_all = time.perf_counter() - begun
            longest_call = max(entry[2] for entry in await call("SLOWLOG", "GET", -1)) / 1000
            met = met and longest_call < CALL_GOAL
            print(
                f"{verb} all {state}: {moved:,} jobs in {took_all:.2f} s; longest call {longest_call:.2f} ms"
            )
    return met


if __name__ == "__main__":
    with toril.embedded() as url:
        sys.exit(not uvloop.run(main(url, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)))
