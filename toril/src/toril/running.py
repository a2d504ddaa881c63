"""Runs a program's coroutine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds that tasks have to end which the coroutine has left behind."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a program's coroutine and return its result, on uvloop where it is installed.

    Does not wait, as `asyncio.run` does, for tasks that swallow their cancellation: a handler of that
    kind would keep its process for ever.

    Raises:
        Exception: whatever the coroutine raises.
    """
    runner = asyncio.Runner(loop_factory=_loop_factory())
    try:
        return runner.run(main)
    finally:
        if runner.run(_end_others()):
            runner.close()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _end_others() -> bool:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=PATIENCE)
    return all(task.done() for task in others)
