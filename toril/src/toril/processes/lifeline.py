"""The line between a supervisor and one of its workers, as the worker holds it.

The worker tells of its health over it. Its end means that the supervisor has died, however it died,
on every system; the worker then drains and ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

import msgspec

from ..health import ProcessReport
from .exits import Exit

logger = logging.getLogger("toril")

VARIABLE = "TORIL_LIFELINE"
"""The environment variable with the line's descriptor."""
GRACE = 10.0
"""Seconds beyond its drain timeout that a worker may take to end."""
FORCE = b"f"
"""What the supervisor says when running jobs are to be handed back."""
BACKLOG = 64 * 1024
"""Bytes of reports that wait for a supervisor which does not read; further ones are left out."""


class Lifeline:
    """The worker's end of the line."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._unsent = b""
        self._force: Callable[[], None] | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    @classmethod
    def inherited(cls) -> Self | None:
        """Return the line that this process was started with; None if it has no supervisor."""
        descriptor = os.environ.pop(VARIABLE, None)
        if descriptor is None:
            return None
        line = socket.socket(fileno=int(descriptor))
        line.set_inheritable(False)
        return cls(line)

    def watch(self, drain_timeout: float) -> None:
        """Stop this process as SIGTERM does when the supervisor has died; for good after a while.

        In a thread, so that a blocked event loop cannot keep the process.
        """

        def listen() -> None:
            with contextlib.suppress(OSError):
                while self._line.recv(64):
                    if self._force is not None:
                        self._force()
            if self._closed:
                return
            logger.warning("the supervisor of worker process %d has died; draining", os.getpid())
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(drain_timeout + GRACE)
            os._exit(Exit.HANDED_BACK)

        self._thread = threading.Thread(target=listen, name="toril-lifeline", daemon=True)
        self._thread.start()

    def on_force(self, callback: Callable[[], None]) -> None:
        """Call this, in the watching thread, when the supervisor wants running jobs to be handed back.

        The line says so and not a second signal, for systemd signals supervisor and workers alike.
        """
        self._force = callback

    def tell(self, report: ProcessReport) -> None:
        """Send a report; never waits."""
        if len(self._unsent) < BACKLOG:
            self._unsent += msgspec.json.encode(report) + b"\n"
        with contextlib.suppress(OSError):  # the watching thread sees why
            sent = self._line.send(self._unsent, socket.MSG_DONTWAIT)
            self._unsent = self._unsent[sent:]

    def close(self) -> None:
        """Let go of the line and end the thread: none may run while the interpreter ends."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(1.0)
        self._line.close()
