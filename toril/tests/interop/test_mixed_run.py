"""Node and toril, several processes of each, produce and run the jobs of two queues at once.

Jobs fail and are tried again, are delayed, prioritized, removed, cancelled, promoted and retried, wait
for other jobs, and have ids that both sides add; queues are paused. All is drawn from a seed, so that
it is known how each job must end. Larger:
`python -m pytest -s toril/tests/interop/test_mixed_run.py --mixed-jobs 100000`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import toril

from .mixed_plan import Drawing, Plan

pytestmark = pytest.mark.node

HERE = Path(__file__).parent
NODE = HERE.parents[2] / "tests" / "node"
EACH = 2
"""How many processes of each kind: Node's producers and workers, toril's producers and workers."""

Call = Callable[..., Awaitable[Any]]


@dataclass
class Ledger:
    """What has been done to jobs, by (queue, id)."""

    removed: set[tuple[str, str]] = field(default_factory=set)
    cancelled: set[tuple[str, str]] = field(default_factory=set)
    """Those that have failed so at once, or whose worker was asked: Node's do not hear of it."""
    retried: dict[tuple[str, str], list[bool]] = field(default_factory=lambda: defaultdict(list))
    """Whether each retry gave the job all its attempts again, in order."""
    promoted: int = 0
    pauses: int = 0


class Side:
    """One process of either side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, url: str, kind: str, *args: str) -> Side:
        command = (
            ["node", str(NODE / "mixed.mjs"), str(urlsplit(url).port)]
            if kind == "node"
            else [sys.executable, str(HERE / "mixed_side.py"), url]
        )
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, *args, stdin=pipe, stdout=pipe, cwd=NODE, limit=2**28
        )
        return cls(process)

    async def finish(self) -> list[Any]:
        """End its input; returns what it has printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        lines = [json.loads(line) async for line in self._process.stdout]
        assert await self._process.wait() == 0
        return lines

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


class Meddler:
    """Pauses, removes, cancels, promotes and retries while all is running, by either side's hand."""

    def __init__(self, node: Call, queues: list[toril.Queue], seed: int) -> None:
        self._node = node
        self._queues = queues
        self._random = random.Random(seed)
        self.ledger = Ledger()
        self.stopping = False

    async def run(self) -> None:
        acts = (self._pause, self._remove, self._remove, self._cancel, self._promote, self._retry)
        while not self.stopping:
            await self._random.choice(acts)(self._random.choice(self._queues))
            await asyncio.sleep(self._random.random() * 0.05)

    async def _pause(self, queue: toril.Queue) -> None:
        first, second = self._random.choice([(self._ours, self._theirs), (self._theirs, self._ours)])
        await first("pause", queue)
        await asyncio.sleep(self._random.random() * 0.05)
        await second("resume", queue)
        self.ledger.pauses += 1

    async def _ours(self, verb: str, queue: toril.Queue) -> None:
        await (queue.pause() if verb == "pause" else queue.resume())

    async def _theirs(self, verb: str, queue: toril.Queue) -> None:
        await self._node(verb, queue.name)

    async def _some(self, queue: toril.Queue, state: str) -> list[toril.Job]:
        found = await queue.get_jobs(state, 0, 99, ascending=self._random.random() < 0.5)
        free = [job for job in found if not job.data["flow"]]
        return self._random.sample(free, min(len(free), 5))

    async def _act(self, verb: str, job: toril.Job) -> bool:
        """Let one side do it; whether it did (the job may run or be gone by now)."""
        return await self._random.choice([self._by_us, self._by_them])(verb, job)

    async def _by_us(self, verb: str, job: toril.Job, **options: bool) -> bool:
        with contextlib.suppress(toril.JobNotFound, toril.JobNotInState, toril.JobLocked):
            await getattr(job, verb)(**options)
            return True
        return False

    async def _by_them(self, verb: str, job: toril.Job) -> bool:
        with contextlib.suppress(AssertionError):
            await self._node(verb, job.queue, job=job.id)
            return True
        return False

    async def _remove(self, queue: toril.Queue) -> None:
        for job in await self._some(
            queue, self._random.choice(["waiting", "delayed", "prioritized", "failed"])
        ):
            if not job.id.startswith("both-") and await self._act("remove", job):
                self.ledger.removed.add((job.queue, job.id))

    async def _cancel(self, queue: toril.Queue) -> None:
        for job in await self._some(queue, self._random.choice(["waiting", "delayed", "active"])):
            if not job.id.startswith("both-") and await self._by_us("cancel", job):
                self.ledger.cancelled.add((job.queue, job.id))

    async def _promote(self, queue: toril.Queue) -> None:
        for job in await self._some(queue, "delayed"):
            self.ledger.promoted += await self._act("promote", job)

    async def _retry(self, queue: toril.Queue) -> None:
        for job in await self._some(queue, "failed"):
            if (job.queue, job.id) in self.ledger.cancelled:
                continue
            # BullMQ's retry leaves the counters; toril's sets them back unless told otherwise.
            reset = self._random.random() < 0.5
            if reset or self._random.random() < 0.5:
                done = await self._by_us("retry", job, reset_attempts=reset)
            else:
                done = await self._by_them("retry", job)
            if done:
                self.ledger.retried[job.queue, job.id].append(reset)


async def events_of(queue: toril.Queue) -> dict[str, Counter[str]]:
    """How many events of each type the stream has of each job."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    call, key = queue.store.connection.call, queue.store.keys.events
    cursor = "-"
    while entries := await call("XRANGE", key, cursor, "+", "COUNT", 5000):
        for _, flat in entries:
            event = dict(zip(flat[::2], flat[1::2], strict=True))
            found[event.get(b"jobId", b"").decode()][event[b"event"].decode()] += 1
        cursor = "(" + entries[-1][0].decode()
    return found


async def unfinished(queues: list[toril.Queue]) -> int:
    counts = [await queue.get_job_counts() for queue in queues]
    return sum(sum(each.values()) - each["completed"] - each["failed"] for each in counts)


async def keys_of(queue: toril.Queue) -> list[str]:
    found: list[str] = []
    cursor = b"0"
    while True:
        cursor, keys = await queue.store.connection.call(
            "SCAN", cursor, "MATCH", f"{queue.prefix}:{queue.name}:*", "COUNT", 10_000
        )
        found += [key.decode() for key in keys]
        if cursor == b"0":
            return found


async def finished(queue: toril.Queue, state: str, count: int) -> dict[str, toril.Job]:
    pages = [await queue.get_jobs(state, start, start + 999) for start in range(0, count, 1000)]
    listed = [job for page in pages for job in page]
    assert len(listed) == count == len({job.id for job in listed})
    return {job.id: job for job in listed}


async def test_all_jobs_of_a_mixed_run_end_as_they_must(
    node: Call,
    valkey_url: str,
    queue_name: str,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count, seed = pytestconfig.getoption("--mixed-jobs"), pytestconfig.getoption("--mixed-seed")
    top, low = f"{queue_name}-top", f"{queue_name}-low"
    drawing = Drawing(seed, top, low)
    batches = drawing.batches(count, 2 * EACH)
    async with contextlib.AsyncExitStack() as stack:
        queues = [await stack.enter_async_context(toril.Queue(name, valkey_url)) for name in (top, low)]
        for name in (top, low):
            # The whole stream is kept, to be counted at the end.
            await node("open", name, opts={"streams": {"events": {"maxLen": 100 * count}}})
        began = time.monotonic()
        workers, producers = [], []
        for kind in ("node", "toril"):
            for _ in range(EACH):
                workers.append(await Side.start(valkey_url, kind, "work", top, low))
                file = tmp_path / f"{len(producers)}.json"
                file.write_text(json.dumps(batches[len(producers)]))
                producers.append(await Side.start(valkey_url, kind, "produce", str(file)))
        for side in (*workers, *producers):
            stack.callback(side.kill)
        meddler = Meddler(node, queues, seed)
        meddling = asyncio.create_task(meddler.run())
        async with asyncio.timeout(60 + count / 200):
            lines = [line for side in producers for line in await side.finish()]
            while await unfinished(queues):
                await asyncio.sleep(0.05)
            # Its last acts may have given the workers more to do.
            meddler.stopping = True
            await meddling
            while await unfinished(queues):
                await asyncio.sleep(0.05)
        took = time.monotonic() - began
        printed = [(await side.finish())[0] for side in workers]

        added = {(queue, job_id): drawing.plans[number] for line in lines for number, queue, job_id in line}
        assert len(added) == len(drawing.plans)
        runs: Counter[str] = Counter()
        for each in printed:
            runs.update(each)
        totals = [await judge(queue, added, runs, meddler.ledger, node) for queue in queues]
        assert not [key for queue in queues for key in await keys_of(queue) if key.endswith(":lock")]

        for queue in queues:
            await queue.pause()
        await queues[0].obliterate()
        await node("obliterate", low, opts={"count": 1000})
        assert await keys_of(queues[0]) == []
        # Node leaves what only toril knows.
        base = f"bull:{low}:toril:"
        assert [key for key in await keys_of(queues[1]) if not key.startswith(base)] == []
        await queues[1].pause()
        await queues[1].obliterate()
        assert await keys_of(queues[1]) == []

    ledger = meddler.ledger
    by_node, by_toril = (
        sum(sum(each.values()) for each in part) for part in (printed[:EACH], printed[EACH:])
    )
    assert by_node
    assert by_toril
    with capsys.disabled():
        print(
            f"\nmixed run: {len(added):,} jobs (seed {seed}) in {took:.1f} s; "
            f"{by_node + by_toril:,} runs, {by_node:,} by Node and {by_toril:,} by toril; "
            f"{sum(total['completed'] for total in totals):,} completed, "
            f"{sum(total['failed'] for total in totals):,} failed, "
            f"{sum(total['gone'] for total in totals):,} not kept, "
            f"{len(ledger.removed):,} removed, {len(ledger.cancelled):,} cancelled, "
            f"{sum(map(len, ledger.retried.values())):,} retried, {ledger.promoted:,} promoted, "
            f"{ledger.pauses:,} pauses, "
            f"{sum(total['events'] for total in totals):,} events"
        )


def counters(job: toril.Job) -> tuple[int, int]:
    return job.attempts_made, job.attempts_started


async def judge(
    queue: toril.Queue,
    added: dict[tuple[str, str], Plan],
    runs: Counter[str],
    ledger: Ledger,
    node: Call,
) -> Counter[str]:
    """Compare all that is left of a queue's jobs with what was planned; returns how many ended how."""
    counts = await queue.get_job_counts()
    theirs = await node("counts", queue.name)
    assert {key: theirs[key] for key in counts if key in theirs} == {
        key: counts[key] for key in counts if key in theirs
    }
    stands = {state: await finished(queue, state, counts[state]) for state in ("completed", "failed")}
    events = await events_of(queue)
    totals: Counter[str] = Counter(events=sum(each.total() for each in events.values()))
    wrong = []
    for (name, job_id), plan in added.items():
        if name != queue.name:
            continue
        key, seen = (name, job_id), events[job_id]
        due = plan.expected(ledger.retried.get(key, ()))
        job = stands["completed"].pop(job_id, None) or stands["failed"].pop(job_id, None)
        ran = runs[f"{name}:{job_id}"]
        if key in ledger.removed:
            # It may have run before: as often as the stream says, if it was not cancelled as it began.
            good = job is None and (seen["added"], seen["removed"]) == (1, 1)
            good = good and (ran == seen["active"] or (key in ledger.cancelled and ran < seen["active"]))
            totals["removed"] += 1
        elif key in ledger.cancelled:
            # It has failed so, or its worker had done it by then, or was Node's.
            ends = (seen["completed"], seen["failed"])
            retries = len(ledger.retried.get(key, ()))
            if job is not None and (job.failed_reason or "").startswith("cancelled"):
                good = await job.get_state() == "failed" and ends == (0, retries + 1)
                good = good and ran <= seen["active"] <= due.runs
            else:
                good = (None if job is None else await job.get_state()) == (
                    None if due.state == "gone" else due.state
                )
                good = good and ran == due.runs == seen["active"] and sum(ends) == due.ends
            good = good and (seen["added"], seen["removed"]) == (1, 0)
            totals["cancelled"] += 1
        else:
            good = (
                (job is None) == (due.state == "gone")
                and (job is None or await job.get_state() == due.state)
                and ran == due.runs
                and (job is None or plan.failed_by_a_child or counters(job) == due[2:4])
                and (plan.failed_by_a_child or seen["active"] == due.runs)
                and seen["added"] == 1
                and seen["duplicated"] == plan.shared
                and seen["completed"] == (due.state != "failed")
                and seen["completed"] + seen["failed"] == due.ends
                and seen["removed"] == 0
            )
            totals[due.state] += 1
        if not good:
            wrong.append((key, plan, ledger.retried.get(key), key in ledger.removed, ran, job, dict(seen)))
    assert not wrong, "\n".join(map(str, [f"{len(wrong)} jobs", *wrong[:5]]))
    assert stands == {"completed": {}, "failed": {}}
    return totals
