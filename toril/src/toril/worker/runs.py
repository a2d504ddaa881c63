"""The jobs that a worker runs: begun, ended, cancelled, handed back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from ..queue import Queue
from ..record import Job
from ..storage.cancels import CancelOrder
from ..storage.jobs import Fields
from ..storage.work import FAILED_INSTEAD, Settlement
from .cycle import Cycle
from .executor import Executor
from .marks import CancelAsked, HandBack, LeftBehind, LockLost

logger = logging.getLogger("toril")

GRACE = 5.0
"""Seconds that a handler has to end after it was told that its worker stops."""
TOGETHER = 0.5
"""Seconds of it in which those that end are gathered, to go back in the order in which they began."""
BUSY_HERE = 1.0
"""Seconds that a job waits again while a handler of its last run is still at it in this process."""

_left_behind: set[tuple[str, str]] = set()
"""Jobs that were handed back although their handlers had not ended: (base of the queue's keys, id)."""


class _Run:
    """One run. `over` says that it is settled already, whatever its handler does."""

    __slots__ = ("_cycle", "_place", "job", "over", "task", "token")

    task: asyncio.Task[None]

    def __init__(self, job: Job, token: str, cycle: Cycle, place: tuple[str, str]) -> None:
        self.job = job
        self.token = token
        self._cycle = cycle
        self._place = place
        self.over = False

    def interrupt(self, mark: type[Exception]) -> None:
        # A task that is cancelled before its first step never takes it, and would settle nothing.
        asyncio.get_running_loop().call_soon(self.task.cancel, mark)

    def leave_behind(self) -> None:
        self.over = True
        _left_behind.add(self._place)
        self.interrupt(LeftBehind)

    def released(self) -> None:
        self._cycle.release()
        if self.over:
            _left_behind.discard(self._place)


class Runs:
    """The running jobs of one worker, and how many have ended how.

    Args:
        queue: Whose jobs they are.
        executor: Runs them.
        worker_id: What the worker's lock tokens begin with.
    """

    def __init__(self, queue: Queue, executor: Executor, worker_id: str) -> None:
        self._queue = queue
        self._base = queue.store.keys.base
        self._executor = executor
        self._worker_id = worker_id
        self._running: dict[str, _Run] = {}
        self._early: dict[tuple[str, str], str] = {}
        self._gathered: dict[str, Settlement] | None = None
        self.cycle: Cycle | None = None
        self.begun = 0
        self.completed = 0
        self.failed = 0
        self.retried = 0
        self.handed_back = 0
        self.lost_locks = 0

    def __len__(self) -> int:
        return len(self._running)

    def tokens(self) -> Mapping[str, str]:
        """The locks of the jobs that run or are about to, id -> token; from any thread."""
        held = self.cycle.held() if self.cycle is not None else {}
        return held | {job_id: run.token for job_id, run in self._running.copy().items()}

    def begin(self, job_id: str, fields: Fields, token: str) -> None:
        """Begin one job that was fetched."""
        cycle = self.cycle
        assert cycle is not None
        place = (self._base, job_id)
        if place in _left_behind:
            cycle.settle(Settlement("s", job_id, token, "", delay_ms=round(BUSY_HERE * 1000)))
            cycle.release()
            return
        self.begun += 1
        run = self._running[job_id] = _Run(Job(self._queue, job_id, fields), token, cycle, place)
        run.task = asyncio.get_running_loop().create_task(self._run(run))
        if self._early and (reason := self._early.pop((job_id, token), None)) is not None:
            self._cancel(run, reason)

    async def _run(self, run: _Run) -> None:
        settlement = None
        try:
            settlement = await self._executor.run(run.job, run.token, run.released)
        except Exception as error:  # noqa: BLE001 - the worker ends with it
            # Else the job would be held, its lock renewed, for as long as the worker lives.
            assert self.cycle is not None
            self.cycle.give_up(error)
        if self._running.get(run.job.id) is run:
            del self._running[run.job.id]
        if settlement is None or run.over:
            return
        if settlement.kind == "s" and run.job.stopping:
            self.handed_back += 1
            if self._gathered is not None:
                self._gathered[run.job.id] = settlement
                return
        self._settle(settlement)

    def _settle(self, settlement: Settlement) -> None:
        assert self.cycle is not None
        if settlement.kind == "c":
            self.completed += 1
        elif settlement.kind == "f":
            self.failed += 1
        else:
            self.retried += 1
        self.cycle.settle(settlement)

    def refused(self, settlement: Settlement, code: int) -> None:
        """Note that the server has settled a run otherwise, or not at all."""
        if code in FAILED_INSTEAD:
            self.completed -= settlement.kind == "c"
            self.retried -= settlement.kind != "c"
            self.failed += 1
            logger.warning("job %s has failed: %s", settlement.job_id, FAILED_INSTEAD[code])
            return
        self.lost_locks += 1
        logger.warning(
            "job %s could not be settled (code %d): its lock is gone, so that it was settled before, by a "
            "call whose answer was lost, or is not this worker's now",
            settlement.job_id,
            code,
        )

    def lost(self, job_ids: Sequence[str]) -> None:
        """End runs whose lock is lost; they are not settled."""
        assert self.cycle is not None
        for job_id in job_ids:
            run = self._running.get(job_id)
            if run is not None:
                self.lost_locks += 1
                run.interrupt(LockLost)
            else:
                self.cycle.drop(job_id)

    def cancel(self, job_id: str, reason: str) -> bool:
        """Cancel a running job; False if it does not run here."""
        run = self._running.get(job_id)
        if run is not None:
            self._cancel(run, reason)
        return run is not None

    def cancel_all(self, reason: str) -> int:
        """Cancel all running jobs; returns how many."""
        return sum(self.cancel(job_id, reason) for job_id in list(self._running))

    def _cancel(self, run: _Run, reason: str) -> None:
        if not run.job.cancelled:
            run.job.mark_cancelled(reason)
            run.interrupt(CancelAsked)

    def marked(self, reasons: Mapping[str, str]) -> None:
        """Cancel the running jobs that bear a mark: id -> reason."""
        for job_id, reason in reasons.items():
            self.cancel(job_id, reason)

    def ordered(self, orders: Sequence[CancelOrder]) -> None:
        """Cancel the runs that someone wants to end; most are other workers'. None for a while: no orders."""
        if not orders:
            self._early.clear()
        for job_id, token, reason in orders:
            run = self._running.get(job_id)
            if run is not None and run.token == token:
                self._cancel(run, reason)
            elif token.startswith(self._worker_id):
                # It has ended, or it was given away so lately that it is not here yet.
                self._early[job_id, token] = reason

    async def drained(self, limit: float | None, unless: asyncio.Event) -> None:
        """Wait until no job runs, up to a time of the event loop's clock, or until an event."""
        waiter = asyncio.ensure_future(unless.wait())
        now = asyncio.get_running_loop().time
        while self._running and not unless.is_set():
            left = None if limit is None else limit - now()
            if left is not None and left <= 0:
                break
            tasks = {run.task for run in self._running.values()}
            await asyncio.wait({waiter, *tasks}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()

    async def hand_back(self) -> None:
        """Hand all running jobs back unspent; they run again in the order in which they began here.

        Handlers are cancelled, those in threads asked to end. What has not ended after `GRACE` is
        left behind: its job is handed back all the same, and not run in this process while it goes on.
        """
        # Each goes before the others to the head of its place: the last one first.
        runs = list(reversed(self._running.values()))
        if not runs:
            return
        logger.warning("queue %s: %d running jobs are handed back", self._queue.name, len(runs))
        for run in runs:
            run.job.mark_stopping()
            run.interrupt(HandBack)
        self._gathered = {}
        tasks = [run.task for run in runs]
        await asyncio.wait(tasks, timeout=min(TOGETHER, GRACE))
        gathered, self._gathered = self._gathered, None
        for run in runs:
            if run.job.id in gathered:
                self._settle(gathered[run.job.id])
        await asyncio.wait(tasks, timeout=max(0.0, GRACE - TOGETHER))
        for run in runs:
            if not run.task.done():
                logger.warning("job %s is handed back, but its handler goes on", run.job.id)
                run.leave_behind()
                self.handed_back += 1
                self._settle(Settlement("s", run.job.id, run.token, ""))
