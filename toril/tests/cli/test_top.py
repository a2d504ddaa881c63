"""`toril top` at a terminal: it shows, obeys keys, and leaves the terminal as it was."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import toril

from .conftest import TORIL, Command

Running = Callable[..., contextlib.AbstractAsyncContextManager[toril.Worker]]
ENTER_SCREEN, LEAVE_SCREEN, SHOW_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


@dataclass
class Terminal:
    """A terminal of 80 by 24 with a command at it."""

    outer: int
    process: asyncio.subprocess.Process
    shown: str = field(default="")

    def press(self, keys: str) -> None:
        os.write(self.outer, keys.encode())

    async def until(self, text: str, start: int = 0) -> None:
        """Wait until a text was shown, from a place on."""
        async with asyncio.timeout(15):
            while text not in self.shown[start:]:
                await asyncio.sleep(0.02)
                self.read()

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.shown += os.read(self.outer, 1_000_000).decode("utf-8", "ignore")

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self.outer)

    async def ended(self) -> int:
        async with asyncio.timeout(10):
            while self.process.returncode is None:
                self.read()
                await asyncio.sleep(0.02)
        self.read()
        return self.process.returncode


@contextlib.asynccontextmanager
async def terminal(url: str, *words: str) -> AsyncIterator[Terminal]:
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.set_blocking(outer, False)
    process = await asyncio.create_subprocess_exec(
        *TORIL, "top", *words, env={"TORIL_URL": url, "TERM": "xterm-256color"}, stdin=inner, stdout=inner,
        stderr=inner, start_new_session=True,
    )  # fmt: skip
    try:
        yield Terminal(outer, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(inner)
        os.close(outer)


@pytest.mark.parametrize("end", ["q", signal.SIGINT, signal.SIGTERM])
async def test_the_terminal_is_as_it_was_however_it_ends(
    queue: toril.Queue, end: str | signal.Signals
) -> None:
    await queue.add("x")
    async with terminal(queue.url, queue.name) as at:
        before = at.settings()
        await at.until("WAITING")
        assert ENTER_SCREEN in at.shown
        assert at.settings() != before
        if isinstance(end, str):
            at.press(end)
        else:
            at.process.send_signal(end)
        assert await at.ended() == 0
        assert at.settings() == before
        left = at.shown[at.shown.rindex(LEAVE_SCREEN) :]
        assert SHOW_CURSOR in at.shown[-200:]
        assert "Traceback" not in left


async def test_keys_pause_retry_and_look_into_a_job(queue: toril.Queue, running: Running) -> None:
    async def fails(job: toril.Job) -> None:
        raise ValueError("mailbox full")

    jobs = await queue.add_many([toril.NewJob("welcome")] * 3)
    async with running(fails, concurrency=3), asyncio.timeout(10):
        while (await queue.get_job_counts())["failed"] < 3:
            await asyncio.sleep(0.01)
    async with terminal(queue.url, queue.name, "--interval", "0.1") as at:
        await at.until("FAILED")
        at.press("p")
        await at.until("is paused")
        assert await queue.is_paused()
        at.press("p")
        await at.until("goes on")
        assert not await queue.is_paused()
        at.press("\r\t\t\t\t")
        await at.until("[failed]")
        await at.until("mailbox full")
        at.press("\r")
        await at.until("it failed for good")
        at.press("r")
        await at.until("retried job")
        assert await jobs[2].get_state() is toril.JobState.WAITING
        at.press("\x7f\x7f")
        await at.until("DELAYED", len(at.shown))
        at.press("r")
        await at.until("y/n")
        assert (await queue.get_job_counts())["failed"] == 2
        at.press("y")
        await at.until("retried 2 jobs")
        assert (await queue.get_job_counts())["failed"] == 0
        at.press("q")
        assert await at.ended() == 0


async def test_a_server_that_goes_away_is_told_and_does_not_end_it() -> None:
    with toril.EmbeddedServer() as server:
        async with toril.Queue("away", server.url) as queue:
            await queue.add("x")
        async with terminal(server.url, "--interval", "0.1") as at:
            await at.until("away")
            server.stop()
            await at.until("cannot reach")
            at.press("q")
            assert await at.ended() == 0


async def test_one_frame_goes_into_a_pipe(queue: toril.Queue, running: Running, command: Command) -> None:
    async def lasting(job: toril.Job) -> None:
        await asyncio.sleep(30)

    job = await queue.add("slow")
    await queue.add("x", delay=60)
    async with running(lasting, name="w1", drain_timeout=0):
        async with asyncio.timeout(10):
            while await job.get_state() is not toril.JobState.ACTIVE:
                await asyncio.sleep(0.01)
        shown = command("top", queue.name, "--once", env={"COLUMNS": "100"})
    assert (shown.returncode, "\x1b" in shown.stdout) == (0, False)
    row = next(line for line in shown.stdout.splitlines() if line.startswith(queue.name[:20]))
    assert row.split()[4:7] == ["0", "1", "1"]  # waiting, active, delayed
    assert "w1" in shown.stdout
    assert "slow" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100


async def test_one_look_as_json(queue: toril.Queue, found: Callable[..., Any]) -> None:
    await queue.add_many([toril.NewJob("x")] * 3)
    await queue.pause()
    (row,) = found("top", queue.name)
    assert (row["queue"], row["paused"], row["counts"]["waiting"]) == (queue.name, True, 3)
    assert row["added"] > 0
    assert row["oldestWaiting"] >= 0


def test_without_a_terminal_it_says_how_to(command: Command) -> None:
    ended = command("top")
    assert (ended.returncode, ended.stderr) == (
        1,
        "toril: no terminal is here; --once prints what there is now\n",
    )
