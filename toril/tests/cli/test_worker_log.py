"""What `toril worker` says on standard error: that it works, and what has failed."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import pytest

import toril

APP = """
import toril
app = toril.Toril()
@app.job({queue!r}, name="charge", attempts=2)
async def charge() -> None:
    raise ValueError("no\\nmoney")
"""


async def test_a_worker_tells_that_it_is_at_work_and_what_has_failed(
    queue: toril.Queue, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue=queue.name))
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toril.cli", "worker", "shop:app", "--concurrency", "7"),
        cwd=tmp_path,
        env={"TORIL_URL": queue.url},
        stderr=asyncio.subprocess.PIPE,
    )
    assert worker.stderr is not None
    async with asyncio.timeout(20):
        first = (await worker.stderr.readline()).decode()
        assert first.endswith(f"INFO at work on {queue.name} (7)\n")
        job = await queue.add("charge", {}, attempts=2)
        with pytest.raises(toril.JobFailed):
            await job.wait()
        worker.send_signal(signal.SIGTERM)
        _, rest = await worker.communicate()
    told = re.findall(r"INFO <Job \S+ 'charge'>(.*)", rest.decode())
    assert told == [": attempt 1 of 2 failed: no\\nmoney", " has failed for good: no\\nmoney"]
