"""Handlers that run in processes of their own; the tests import this by its plain name."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import NoReturn

import toril

app = toril.Toril()


@app.job("cpu", run_in="process")
def square(job: toril.Job, n: int) -> list[int]:
    return [n * n, os.getpid()]


@app.job("cpu", run_in="process")
async def cube(n: int) -> list[int]:
    await asyncio.sleep(0)
    return [n**3, os.getpid()]


@app.job("cpu")
async def here() -> int:
    return os.getpid()


class Odd(Exception):
    pass


def act(job: toril.Job) -> object:
    """Do what the job's name says."""
    return globals()[f"do_{job.name}"](job)


def do_pid(job: toril.Job) -> int:
    return os.getpid()


def do_raise(job: toril.Job) -> NoReturn:
    raise Odd(f"odd {job.data}")


def do_fail(job: toril.Job) -> NoReturn:
    raise toril.Fail("never")


def do_snooze(job: toril.Job) -> str:
    if job.attempts_started == 1:
        raise toril.Snooze(0.01)
    return f"made {job.attempts_made}"


def do_retry(job: toril.Job) -> str:
    if job.attempts_started == 1:
        raise toril.Retry(0.01, "once more")
    return f"made {job.attempts_made}"


def do_exit(job: toril.Job) -> NoReturn:
    os._exit(3)


def do_sys_exit(job: toril.Job) -> NoReturn:
    sys.exit(4)


def do_kill(job: toril.Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def do_segfault(job: toril.Job) -> None:
    ctypes.string_at(0)


def do_object(job: toril.Job) -> object:
    return object()


def do_big(job: toril.Job) -> str:
    return "x" * (5 * 1024 * 1024)


def do_burn(job: toril.Job) -> NoReturn:
    """Use the processor, and say who does; with a process of its own beside it."""
    beside = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    toril.run_async(job.update_progress({"pid": os.getpid(), "beside": beside.pid}))
    while True:
        time.perf_counter()


def do_crash_once(job: toril.Job) -> str:
    if job.attempts_made == 0:
        os._exit(9)
    return "the second time"


def do_tell(job: toril.Job) -> int:
    toril.run_async(job.update_progress(50))
    return toril.run_async(job.log("half"), timeout=5)


async def tell(job: toril.Job) -> int:
    await job.update_progress(50)
    return await job.log("half")


def do_until_told(job: toril.Job) -> str:
    toril.run_async(job.update_progress({"pid": os.getpid()}))
    while not toril.run_async(job.get_logs()):
        time.sleep(0.05)
    return "told"
