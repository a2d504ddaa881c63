"""Judges the invariants at a quiet point, from the ledgers and the server's own keys."""

from __future__ import annotations

from collections import Counter

import toril

from .fleet import Fleet
from .ledgers import Adds, Final, Runs, finals, instant, is_tick
from .load import Load

EVERY_MS = 500
SCHEDULER = "tick"
LEFT_KEYS = 30
"""Keys that a queue without jobs may have, besides those of its scheduler."""
SERVER_MEMORY = 64 << 20
WORKER_MEMORY = 256 << 20
CLIENTS = 100


class Checker:
    """One queue's judge.

    Attributes:
        violations: What does not hold.
        counts: What was judged.
    """

    def __init__(self, queue: toril.Queue) -> None:
        self._queue = queue
        self._last_tick: int | None = None
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()

    def blame(self, invariant: str, what: str) -> None:
        self.violations.append(f"{invariant}: {what}")

    async def is_drained(self) -> bool:
        """Whether no job is left that must still end."""
        counts = await self._queue.get_job_counts()
        if counts["waiting"] or counts["prioritized"] or counts["waiting-children"]:
            return False
        left = await self._queue.get_jobs("active") + await self._queue.get_jobs("delayed")
        return all(is_tick(job.id) for job in left)

    async def judge(self, load: Load, runs: Runs) -> None:
        """Judge a round. Nothing but the scheduler's jobs may be under way."""
        runs.read()
        places: dict[str, list[Final]] = {}
        for job_id, final in await finals(self._queue):
            places.setdefault(job_id, []).append(final)
        self._judge_acknowledged(load.adds, places)
        self._judge_groups(load.adds, places)
        self._judge_finals(load.adds, places, runs)
        self._judge_ticks(runs, places)
        for job_id, times in load.added.items():
            if times > 1:
                self.blame("I1", f"job {job_id} was made {times} times")
        if not load.missed:
            for job_id in places:
                if job_id not in load.ends and not is_tick(job_id):
                    self.blame("events", f"no event told the end of {job_id}")
        self.counts["jobs"] += len(places)
        self.counts["runs"] += runs.starts.total()
        self.counts["repeated runs"] += sum(max(0, len(found) - 1) for found in runs.effects.values())
        self.counts["rounds with missed events"] += load.missed
        runs.clear()

    def _judge_acknowledged(self, adds: Adds, places: dict[str, list[Final]]) -> None:
        for job in adds.jobs.values():
            there = job.job_id in places
            if not there and job.sure and not job.steered:
                self.blame("I1", f"job {job.job_id} was acknowledged and is lost")
                self.counts["lost"] += 1
            if there and job.removed:
                self.blame("I1", f"job {job.job_id} was removed and is there")
            self.counts["acknowledged"] += job.sure
        by_key = Counter(
            final.data["key"]
            for found in places.values()
            for final in found[:1]
            if isinstance(final.data, dict)
        )
        for key, sure in adds.nameless.items():
            if by_key[key] > 1 or (sure and by_key[key] < 1):
                self.blame("I1", f"{by_key[key]} jobs of one {'sure' if sure else 'undecided'} add {key}")

    def _judge_groups(self, adds: Adds, places: dict[str, list[Final]]) -> None:
        for group in adds.groups:
            there = sum(job_id in places for job_id in group)
            if there not in (0, len(group)):
                self.blame("I1", f"{there} of {len(group)} jobs of one call: {group}")

    def _judge_finals(self, adds: Adds, places: dict[str, list[Final]], runs: Runs) -> None:
        for job_id, found in places.items():
            if is_tick(job_id):
                continue
            if len(found) > 1:
                self.blame("I2", f"job {job_id} is in {[each.state for each in found]}")
            final, ordered = found[0], adds.jobs.get(job_id)
            if final.state not in ("completed", "failed"):
                self.blame("I2", f"job {job_id} is {final.state} at a quiet point")
            effects = runs.effects.get(job_id, set())
            if final.state == "completed" and final.result not in effects:
                self.blame("I3", f"job {job_id} completed with {final.result!r}; its runs: {effects}")
            if ordered is None or ordered.steered:
                continue
            wanted = "failed" if ordered.does == "bad" else "completed"
            if final.state != wanted:
                self.blame("I2", f"job {job_id} ({ordered.does}) is {final.state}: {final.reason}")

    def _judge_ticks(self, runs: Runs, places: dict[str, list[Final]]) -> None:
        """No instant is left out; those whose job is still under way are judged the next time."""
        ticks = {instant(job_id): found[0] for job_id, found in places.items() if is_tick(job_id)}
        for at in sorted(runs.instants):
            if self._last_tick is not None and at > self._last_tick:
                if at != self._last_tick + EVERY_MS:
                    if self._last_tick + EVERY_MS in ticks:
                        break  # it was not there yet when the ledger was read
                    self.blame("I5", f"after the instant {self._last_tick} came {at}")
                self.counts["instants"] += 1
            self._last_tick = max(at, self._last_tick or 0)
            runs.instants.discard(at)
        failed = [at for at, final in ticks.items() if final.state == "failed"]
        if failed:
            self.blame("I5", f"jobs of the scheduler failed: {failed[:3]}")

    async def judge_leftovers(self) -> None:
        """Take away what has ended; hardly a key may be left."""
        for state in ("completed", "failed"):
            await self._queue.clean(state)
        keys = await self._call("KEYS", f"{self._queue.store.keys.base}*")
        assert isinstance(keys, list)
        left = [key.decode() for key in keys if b":repeat:" not in key]
        if len(left) > LEFT_KEYS:
            self.blame("I7", f"{len(left)} keys are left of a queue without jobs: {sorted(left)[:40]}")

    async def judge_bounds(self, fleet: Fleet) -> None:
        """Memory of the server and the workers, and connections."""
        for code in fleet.unasked:
            self.blame("I6", f"a worker ended by itself with {code}")
        fleet.unasked.clear()
        used = await self._info("memory", "used_memory")
        clients = await self._info("clients", "connected_clients")
        if used > SERVER_MEMORY:
            self.blame("I7", f"the server has {used >> 20} MiB for a queue without jobs")
        if clients > CLIENTS:
            self.blame("I7", f"{clients} connections")
        if (size := fleet.memory()) > WORKER_MEMORY:
            self.blame("I7", f"a worker has {size >> 20} MiB")
        self.counts["MiB of the largest worker"] = max(self.counts["MiB of the largest worker"], size >> 20)

    async def _info(self, section: str, name: str) -> int:
        text = await self._call("INFO", section)
        assert isinstance(text, bytes)
        return next(
            int(line.split(":")[1]) for line in text.decode().split("\r\n") if line.startswith(f"{name}:")
        )

    async def _call(self, *words: str | int) -> object:
        return await self._queue.store.connection.call(*words)
