"""The liveness file: its modification time is that of the last success, its content the last report."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from ..errors import InvalidOption
from .report import Health, longest_silence


class LivenessFile:
    """A file that is written while workers make progress and removed when they have ended.

    Args:
        path: Where it is; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = path.with_name(f"{path.name}.{os.getpid()}")

    def check(self) -> None:
        """Try to write beside it. Raises InvalidOption if that cannot be done."""
        try:
            self._next.touch()
            self._next.unlink()
        except OSError as error:
            raise InvalidOption(f"liveness file {self._path} cannot be written: {error.strerror}") from None

    def write(self, health: Health) -> None:
        """Write the report. Raises OSError."""
        moment = time.time() - longest_silence(health.processes)
        self._next.write_bytes(msgspec.json.encode(health))
        os.utime(self._next, (moment, moment))
        self._next.replace(self._path)

    def remove(self) -> None:
        """Remove the file: the workers have ended."""
        self._path.unlink(missing_ok=True)


def silence_of(path: Path) -> float | None:
    """Return the seconds since the last success by a liveness file; None if there is no file."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None
