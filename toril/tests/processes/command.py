"""`toril worker` as a process, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from .conftest import until

TORIL = [sys.executable, "-m", "toril.cli"]

APP = """
import asyncio, os, signal, time
import toril

app = toril.Toril()
VERSION = 1

def note(*words):
    with open("ledger", "a") as ledger:
        ledger.write(" ".join(map(str, words)) + "\\n")

note("begun", os.getpid(), VERSION)

@app.job({queue!r}, name="short", attempts=3)
async def short(n: int) -> int:
    await asyncio.sleep(0.02)
    note("short", os.getpid(), n)
    return VERSION

@app.job({queue!r}, name="long")
async def long(n: int, seconds: float) -> None:
    note("long", os.getpid(), n)
    await asyncio.sleep(seconds)
    note("done", os.getpid(), n)

@app.job({queue!r}, name="block")
async def block(seconds: float) -> None:
    note("block", os.getpid(), 0)
    time.sleep(seconds)

@app.job({queue!r}, name="held")
async def held(seconds: float) -> int:
    note("held", os.getpid(), 0)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not os.path.exists("release"):
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        note("cancelled", os.getpid(), 0)
        raise
    return os.getpid()

@app.job({queue!r}, name="fork")
async def fork() -> None:
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    note("fork", child, 0)
    os.kill(os.getpid(), signal.SIGKILL)

@app.job({queue!r}, name="poison")
async def poison() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Command:
    """A running `toril worker` in a folder with an application, and what it has written."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process, log: Path) -> None:
        self.folder = folder
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ledger(self, kind: str) -> list[tuple[int, str]]:
        """(pid, what) of each line of a kind."""
        file = self.folder / "ledger"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(int(words[1]), words[2]) for line in lines if (words := line.split())[0] == kind]

    def pids(self, kind: str = "begun") -> list[int]:
        """The processes that have written lines of a kind, in order, each once."""
        return list(Counter(pid for pid, _ in self.ledger(kind)))

    async def says(self, pattern: str, limit: float = 20.0) -> None:
        try:
            await until(lambda: re.search(pattern, self.log) is not None, limit)
        except TimeoutError:
            raise AssertionError(f"{pattern!r} is not in:\n{self.log}") from None

    async def ends(self, limit: float = 20.0) -> int:
        async with asyncio.timeout(limit):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def worker(folder: Path, url: str, queue: str, *options: str) -> AsyncIterator[Command]:
    """Run `toril worker shop:app` in a folder; whatever is left of it is killed in the end."""
    if not (folder / "shop.py").exists():
        (folder / "shop.py").write_text(APP.format(queue=queue))
    log = folder / "log"
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *TORIL,
            "worker",
            "shop:app",
            *options,
            cwd=folder,
            env={**os.environ, "TORIL_URL": url, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    command = Command(folder, process, log)
    try:
        yield command
    except BaseException:
        print(log.read_text())
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        for pid in command.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
