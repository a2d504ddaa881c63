"""The worker processes: started, and started again when they have ended, as a supervisor would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .worker import NO_SERVER

KINDS = (("loop", 0.0), ("loop", 3600.0), ("thread", 0.0), ("process", -86400.0))
"""What each worker is, and how many seconds its wall clock is off."""


@dataclass
class Member:
    """One worker's place; the process in it changes."""

    kind: str
    clock_off: float
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.stopped = number is signal.SIGSTOP or (self.stopped and number is not signal.SIGCONT)


class Fleet:
    """All workers of the run.

    Attributes:
        unasked: Ends of workers that nobody had asked for: return codes.
    """

    def __init__(self, url: str, queue: str, folder: Path) -> None:
        self._arguments = (url, queue)
        self._environment = {**os.environ, "SOAK_LEDGER": str(folder / "runs.jsonl")}
        self._environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        self._log: IO[bytes] = (folder / "workers.log").open("ab")
        self._asked: set[int] = set()
        self.members = [Member(*each) for each in KINDS]
        self.unasked: list[int] = []

    def tend(self) -> None:
        """Start those that have ended. A worker may end with 0 or 75 after SIGTERM, or by SIGKILL."""
        for member in self.members:
            process = member.process
            if process is not None and (code := process.poll()) is not None:
                # A worker that cannot reach the server when it starts ends; later it must go on.
                if process.pid not in self._asked and code != NO_SERVER:
                    self.unasked.append(code)
                process = None
            if process is None:
                member.stopped = False
                member.process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "soak.worker",
                        *self._arguments,
                        member.kind,
                        str(member.clock_off),
                    ],
                    env=self._environment,
                    stderr=self._log,
                    stdout=self._log,
                )

    def end(self, member: Member, number: signal.Signals) -> None:
        """Ask a worker to end, or kill it."""
        if member.process is not None:
            self._asked.add(member.process.pid)
            member.send(number)

    def go_on(self) -> None:
        """Let all go on that stand still."""
        for member in self.members:
            member.send(signal.SIGCONT)

    def memory(self) -> int:
        """Bytes of the largest worker (Linux; 0 elsewhere)."""
        sizes = [0]
        for member in self.members:
            status = Path(f"/proc/{member.process.pid}/statm") if member.process else None
            if status is not None and status.exists():
                sizes.append(int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        return max(sizes)

    def close(self) -> None:
        for member in self.members:
            if member.process is not None:
                member.process.kill()
                member.process.wait()
        self._log.close()
