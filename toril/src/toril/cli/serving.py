"""`python -m toril.cli.serving OPTIONS`: a worker's process, which `toril worker` becomes or supervises.

It reads no command line of words. What does so would stay in memory for as long as the worker runs, and is
a third of such a process: typer, and pydantic, which typer takes where it is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import msgspec

from ..app import Toril
from ..failure import one_line
from ..health import MAX_AGE, HealthMonitor
from ..processes import Exit, Lifeline
from ..running import run
from .limits import limits_of
from .load import load_app
from .telling import told

logger = logging.getLogger(__name__)

MODULE = "toril.cli.serving"


@dataclass(frozen=True, slots=True)
class Serving:
    """What one process of `toril worker` does; its options say what each means."""

    target: str
    queues: Sequence[str]
    concurrency: int
    drain_timeout: float
    lock_duration: float
    stalled_interval: float
    liveness_file: str | None = None
    health_port: int | None = None
    health_host: str = "0.0.0.0"
    max_age: float = MAX_AGE

    def command(self) -> list[str]:
        """The command of a process that does this."""
        return [sys.executable, "-m", MODULE, msgspec.json.encode(asdict(self)).decode()]

    def serve(self) -> Exit:
        """Work until told to stop.

        Raises:
            InvalidOption: the application, a queue or an option is wrong.
            ConnectionFailed, ServerRefused: the server cannot be reached at the start, or refuses.
        """
        line = Lifeline.inherited()
        process = "" if line is None else "[%(process)d] "
        logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {process}%(levelname)s %(message)s")
        if line is not None:
            line.watch(self.drain_timeout)
        application = load_app(self.target)
        if line is not None:
            line.on_force(lambda: application.stop(force=True))
        try:
            handed_back = run(self._work(application, line))
        finally:
            if line is not None:
                line.close()
        return Exit.HANDED_BACK if handed_back else Exit.DRAINED

    async def _work(self, application: Toril, line: Lifeline | None) -> int:
        monitor = HealthMonitor(
            lambda: application.workers,
            file=self.liveness_file,
            port=self.health_port,
            host=self.health_host,
            max_age=self.max_age,
            tell=None if line is None else line.tell,
            metrics=application.metrics,
        )
        async with monitor:
            begun = asyncio.create_task(_tell_when_begun(application))
            try:
                return await application.run_worker(
                    limits_of(application, self.queues, self.concurrency),
                    self.concurrency,
                    drain_timeout=self.drain_timeout,
                    lock_duration=self.lock_duration,
                    stalled_interval=self.stalled_interval,
                    second_signal_forces=line is None,
                )
            finally:
                begun.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await begun


async def _tell_when_begun(application: Toril) -> None:
    def begun() -> bool:
        return bool(application.workers) and all(
            each.last_success is not None for each in application.workers
        )

    while not begun():  # noqa: ASYNC110 - no event tells of a worker's first answer
        await asyncio.sleep(0.05)
    queues = (one_line(f"{worker.queue.name} ({worker.concurrency})") for worker in application.workers)
    logger.info("at work on %s", ", ".join(queues))


def main() -> None:
    """Run the process that the first argument describes."""
    serving = msgspec.json.decode(sys.argv[1], type=Serving)
    with told():
        sys.exit(serving.serve())


if __name__ == "__main__":
    main()
