"""Reads keys from a terminal, one by one, and leaves the terminal as it was."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import termios
import tty
from collections.abc import Callable, Iterator

_NAMES = {
    "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\x08": "backspace", "\x1b": "escape",
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left",
    "\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left",
    "\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b[Z": "back tab",
}  # fmt: skip
_KEY = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)|.", re.DOTALL)


def keys_in(text: str) -> list[str]:
    """The keys that a terminal has sent, by their names; those that have none are left out."""
    found = []
    for each in _KEY.findall(text):
        if each in _NAMES:
            found.append(_NAMES[each])
        elif each.isprintable():
            found.append(each)
    return found


@contextlib.contextmanager
def reading(descriptor: int, pressed: Callable[[str], None]) -> Iterator[None]:
    """Call back with each key while the block runs: without Enter, without echo.

    Ctrl-C stays a signal; Ctrl-Z does nothing, for a shell would be left with our screen.
    """
    loop = asyncio.get_running_loop()

    def ready() -> None:
        for key in keys_in(os.read(descriptor, 1024).decode("utf-8", "ignore")):
            pressed(key)

    before = termios.tcgetattr(descriptor)
    stopped = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        tty.setcbreak(descriptor)
        loop.add_reader(descriptor, ready)
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        signal.signal(signal.SIGTSTP, stopped)
