"""One session of `toril top`: it looks, draws, and obeys keys until it is to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live

from ...errors import TorilError
from .doing import do
from .frame import draw
from .keys import reading
from .view import View, kept, pressed
from .watch import Sight, Watcher

if TYPE_CHECKING:
    from rich.console import Console

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Session:
    """What is shown at present, and how it changes.

    Args:
        watcher: Looks at the queues.
        console: The terminal.
        title: The first line.
        interval: Seconds between two looks.
    """

    def __init__(self, watcher: Watcher, console: Console, title: str, interval: float) -> None:
        self._watcher = watcher
        self._console = console
        self._title = title
        self._interval = interval
        self._view = View()
        self._error = ""
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._nudged = asyncio.Event()
        self._over = asyncio.Event()

    def frame(self, sight: Sight) -> Group:
        """The whole screen."""
        size = self._console.size
        return Group(*draw(self._view, sight, self._title, self._error, size.width, size.height))

    async def run(self) -> None:
        """Show it until `q`, Ctrl-C or SIGTERM; the terminal is then as it was.

        Raises:
            ConnectionFailed, ServerRefused: the server cannot be reached at the start.
        """
        loop = asyncio.get_running_loop()
        sight = await self._look()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._over.set)
        try:
            with (
                Live(console=self._console, screen=True, auto_refresh=False) as live,
                reading(sys.stdin.fileno(), self._keys.put_nowait),
            ):
                await self._show(live, sight)
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def _look(self) -> Sight:
        return await self._watcher.look(self._view, self._console.size.width)

    async def _show(self, live: Live, sight: Sight) -> None:
        over = asyncio.create_task(self._over.wait())
        key = asyncio.create_task(self._keys.get())
        looking = asyncio.create_task(self._look())
        pause: asyncio.Task[None] | None = None
        try:
            while not self._view.over:
                live.update(self.frame(sight), refresh=True)
                waits = {over, key, looking if pause is None else pause}
                done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if over in done:
                    return
                if key in done:
                    acted = await self._obey(key.result(), sight)
                    key = asyncio.create_task(self._keys.get())
                    if acted:
                        # The next key is to be judged by what there is now.
                        looking.cancel()
                        looking = asyncio.create_task(self._look())
                        sight = await self._seen(looking, sight)
                        continue
                if pause is not None and pause in done:
                    pause, looking = None, asyncio.create_task(self._look())
                elif pause is None and looking in done:
                    sight = await self._seen(looking, sight)
                    pause = asyncio.create_task(self._pause())
        finally:
            for task in (looking, over, key, *([] if pause is None else [pause])):
                task.cancel()

    async def _seen(self, looking: asyncio.Task[Sight], before: Sight) -> Sight:
        try:
            sight = await looking
        except TorilError as error:
            self._error = str(error)  # it goes on: the server may come back
            return before
        self._error = ""
        self._view = kept(self._view, before.choices, sight.choices)
        return sight

    async def _obey(self, key: str, sight: Sight) -> bool:
        """Do what a key says; returns whether something was done to a queue or a job."""
        before = self._view
        self._view, action = pressed(before, key, sight.choices)
        if action is not None:
            message = await do(self._watcher.queues[action.queue], action)
            self._view = replace(self._view, message=message)
        if _shows(before) != _shows(self._view):
            self._nudged.set()
        return action is not None

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval):
                await self._nudged.wait()
        self._nudged.clear()


def _shows(view: View) -> tuple[object, ...]:
    """What must be looked at for it."""
    return (view.screen, view.queue, view.state, view.job_id)
