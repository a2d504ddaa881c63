"""Handlers that do not end, in a worker's process: it works on, and ends when it is told to."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import toril

from .command import worker
from .conftest import until

APP = """
import asyncio, os, threading
import toril

app = toril.Toril()

@app.job({queue!r}, name="hang", timeout=0.1)
def hang() -> None:
    threading.Event().wait()

@app.job({queue!r}, name="deaf", timeout=0.1)
async def deaf() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            with open("ledger", "a") as ledger:
                ledger.write(f"cancelled {{os.getpid()}} deaf\\n")

@app.job({queue!r}, name="good")
async def good() -> str:
    return "good"
"""


async def test_a_process_ends_though_a_thread_hangs_and_a_coroutine_swallows_its_cancellation(
    queue: toril.Queue, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue=queue.name))
    options = ("--concurrency", "3", "--drain-timeout", "0.3")
    async with worker(tmp_path, queue.url, queue.name, *options) as command:
        hangs = await queue.add("hang", {}, timeout=0.1)
        with pytest.raises(toril.JobFailed, match="its thread goes on"):
            await hangs.wait(15)
        deaf = await queue.add("deaf", {}, timeout=0.1)
        await until(lambda: bool(command.ledger("cancelled")))
        # Two of three slots are theirs for good; the third one works.
        for _ in range(5):
            assert await (await queue.add("good", {})).wait(5) == "good"
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends(15) == 75
        state = await queue.get_job(deaf.id)
        assert state is not None
        assert state.attempts_made == 0
    counts = await queue.get_job_counts()
    assert (counts["active"], counts["waiting"], counts["failed"], counts["completed"]) == (0, 1, 1, 5)
