"""Keeps N worker processes running: starts, restarts, replaces and ends them.

Each is a fresh interpreter of its own: nothing is shared with the supervisor but one line, so there is
no lock or thread that a fork would copy half way, and new code is read when a process is replaced.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from pathlib import Path

from ..failure import how_it_ended
from ..health import MAX_AGE, TICK, Health, Probes, judge, merged
from ..options import positive
from .exits import Exit
from .lifeline import GRACE
from .limits import STEADY, Limits, pause_after
from .member import Member
from .reload import SourceWatch

logger = logging.getLogger("toril")

START_TIMEOUT = 60.0
"""Seconds that a process which is to replace another one may take to be ready."""


class Supervisor:
    """Runs `count` processes of one command until SIGTERM or SIGINT.

    The first process is started alone; the others follow once it takes jobs, so that a mistake shows
    once. A second signal makes the workers hand their jobs back, a third one kills them. SIGHUP
    replaces the processes one by one, each when its successor takes jobs.

    Args:
        command: What a process runs; it must hold the line, see `Lifeline`.
        count: How many.
        limits: What they may do before the supervisor steps in.
        watch: Restarts them when source files change; a failed start then waits for the next change.
        file, port, host, max_age: Probes for all processes together, as of `HealthMonitor`.

    Raises:
        InvalidOption: an option is wrong.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        limits: Limits,
        *,
        watch: SourceWatch | None = None,
        file: str | Path | None = None,
        port: int | None = None,
        host: str = "0.0.0.0",
        max_age: float | timedelta = MAX_AGE,
    ) -> None:
        self._command = command
        self._count = count
        self._limits = limits
        self._watch = watch
        self._max_age = positive(max_age, "max_age")
        self._probes = Probes(self.health, file=file, port=port, host=host, metrics=self.metrics)
        self._members: dict[int, Member] = {}
        self._living: set[Member] = set()
        self._leaving: set[Member] = set()
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rolling = asyncio.Lock()
        self._up = asyncio.Event()
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._signals = 0
        self._exit = Exit.DRAINED
        self._tasks: set[asyncio.Task[None]] = set()
        self._had_terminal = os.isatty(0)

    def health(self) -> Health:
        """Judge all processes now."""
        reports = [member.report() for _, member in sorted(self._members.items())]
        return judge(reports, self._max_age, self._count)

    async def metrics(self) -> str | None:
        """What the processes have told Prometheus, each under its number; None if none has."""
        told = {str(slot): each.metrics for slot, each in sorted(self._members.items()) if each.metrics}
        return merged(told, "process") if told else None

    async def run(self) -> Exit:
        """Run until told to stop, or until there is no sense in going on; see `Exit`."""
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: self._on_stop,
            signal.SIGINT: self._on_stop,
            signal.SIGHUP: self._on_hangup,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            await self._probes.start()
            self._spawn(self._tick())
            if self._watch is not None:
                self._spawn(self._reload(self._watch))
            for slot in range(1, self._count + 1):
                self._spawn(self._keep(slot))
            await self._stopping.wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._end_all()
            await self._probes.stop()
            for number in handlers:
                loop.remove_signal_handler(number)
        return self._exit

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the supervisor cannot go on", exc_info=error)
            self._finish(Exit.FAILED)

    def _finish(self, code: Exit) -> None:
        if not self._stopping.is_set():
            self._exit = code
            self._stopping.set()

    async def _tick(self) -> None:
        while True:
            self._probes.write(self.health())
            await asyncio.sleep(TICK)

    async def _keep(self, slot: int) -> None:
        """Keep one process running."""
        crashes = 0
        while True:
            if slot > 1:
                await self._up.wait()
            changed = self._changed
            async with self._locks[slot]:
                if slot not in self._members:
                    self._members[slot] = await self._start(slot)
                member = self._members[slot]
            code = await member.ended()
            self._living.discard(member)
            if self._members.get(slot) is not member:
                continue  # another one has taken its place
            del self._members[slot]
            if member in self._leaving:
                self._leaving.discard(member)
                crashes = 0
                continue
            steady = member.ready.is_set() and member.age >= STEADY
            crashes = 0 if steady else crashes + 1
            if self._is_hopeless(member, code, crashes):
                if self._watch is None:
                    return
                logger.warning("waiting for a change of the source files")
                await changed.wait()
                crashes = 0
                continue
            pause = pause_after(crashes)
            logger.warning(
                "worker process %d (pid %d) %s; starting it again in %.2g s",
                slot,
                member.pid,
                how_it_ended(code),
                pause,
            )
            await asyncio.sleep(pause)

    def _is_hopeless(self, member: Member, code: int, crashes: int) -> bool:
        """Whether it makes no sense to start a process again; ends the supervisor then."""
        if not self._up.is_set() and code in (Exit.MISTAKE, Exit.UNREACHABLE):
            if self._watch is None:
                self._finish(Exit(code))  # the process has said why
            return True
        # A server that is gone comes back; the other processes wait for it too.
        if crashes < self._limits.max_crashes or code == Exit.UNREACHABLE:
            return False
        logger.error(
            "worker process %d %s: it has died %d times in a row, each time within %g s; giving up",
            member.slot,
            how_it_ended(code),
            crashes,
            STEADY,
        )
        if self._watch is None:
            self._finish(Exit.CRASH_LOOP)
        return True

    async def _start(self, slot: int) -> Member:
        member = await Member.start(slot, self._command, self._told)
        self._living.add(member)
        return member

    def _told(self, member: Member) -> None:
        if self._members.get(member.slot) is not member or member in self._leaving:
            return
        if member.ready.is_set():
            self._up.set()
        if not member.exhausted and (reason := self._limits.exceeded(member.report())):
            member.exhausted = True
            logger.info("worker process %d (pid %d) %s; replacing it", member.slot, member.pid, reason)
            self._spawn(self._recycle(member.slot))

    async def _recycle(self, slot: int) -> None:
        async with self._rolling:
            await self._replace(slot)

    async def _roll(self) -> None:
        async with self._rolling:
            logger.info("replacing all worker processes")
            for slot in range(1, self._count + 1):
                if not await self._replace(slot):
                    logger.error("the processes that are left go on as they are")
                    return
            logger.info("all worker processes are replaced")

    async def _replace(self, slot: int) -> bool:
        """Start another process, and end the present one once it takes jobs; False if it never does."""
        async with self._locks[slot]:
            successor = await self._start(slot)
            ready, ended = asyncio.create_task(successor.ready.wait()), asyncio.create_task(successor.ended())
            try:
                await asyncio.wait({ready, ended}, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
            finally:
                ready.cancel()
                ended.cancel()
            if not successor.ready.is_set() or successor.has_ended:
                code = await successor.end(0)
                self._living.discard(successor)
                logger.error("the new worker process %d was not ready: it %s", slot, how_it_ended(code))
                return False
            old = self._members.get(slot)
            self._members[slot] = successor
        if old is not None:
            await old.end(self._limits.drain_timeout + GRACE)
            self._living.discard(old)
        return True

    async def _reload(self, watch: SourceWatch) -> None:
        while True:
            files = await watch.changed()
            more = f" and {len(files) - 1} more" if len(files) > 1 else ""
            logger.info("%s%s changed; starting again", files[0], more)
            self._up.clear()
            members = list(self._members.values())
            self._leaving.update(members)
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
            await asyncio.gather(*(each.end(self._limits.drain_timeout + GRACE) for each in members))

    async def _end_all(self) -> None:
        limit = self._limits.drain_timeout + GRACE
        members = list(self._living)
        codes = await asyncio.gather(*(member.end(limit) for member in members))
        if self._exit != Exit.DRAINED:
            return
        # Killed by SIGTERM: it had not begun to take jobs.
        unclean = set(codes) - {Exit.DRAINED, -signal.SIGTERM}
        if unclean and not any(member.killed for member in members):
            self._exit = Exit.HANDED_BACK if unclean == {Exit.HANDED_BACK} else Exit.FAILED
        elif unclean:
            self._exit = Exit.HANDED_BACK

    def _on_stop(self) -> None:
        self._signals += 1
        if self._signals == 1:
            logger.info("stopping; a second signal hands running jobs back")
            self._finish(Exit.DRAINED)
            return
        for member in self._living:
            if self._signals == 2:
                member.send(signal.SIGTERM)  # perhaps it was not told yet
                member.force()
            else:
                member.kill()

    def _on_hangup(self) -> None:
        if self._had_terminal and not os.isatty(0):
            self._on_stop()  # the terminal is gone, so nobody asked for a restart
        elif not self._stopping.is_set():
            self._spawn(self._roll())
