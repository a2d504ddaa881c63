"""celery: late acknowledgement, the prefetch multiplier for short tasks, the fastest pool here."""

from __future__ import annotations

import contextlib
import threading

import celery
import celery.worker.state

from .common import KEEP_SECONDS, Order, Payload
from .foreground import drive, emptied, handle
from .ledger import Ledger


class Celery:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        self.app = celery.Celery("bench", broker=given.url, backend=given.url)
        self.app.conf.update(
            task_default_queue=given.queue,
            task_acks_late=True,
            worker_prefetch_multiplier=64,
            result_expires=KEEP_SECONDS,
            worker_hijack_root_logger=False,
            worker_send_task_events=False,
            worker_redirect_stdouts=False,
        )
        self.task = self.app.task(handle, name="handle")

    def add(self, data: Payload) -> object:
        """One job."""
        return self.task.apply_async((data,))

    def add_bulk(self, many: list[Payload]) -> object:
        """One by one, on one connection."""
        with self.app.producer_pool.acquire(block=True) as producer:
            for data in many:
                self.task.apply_async((data,), producer=producer)
        return None

    def work(self, ledger: Ledger) -> None:
        """One worker in this process, as `celery worker` makes it."""
        # Measured: of solo, threads and gevent, solo is the fastest if no handler waits.
        pool = "solo" if self.given.kind == "run" or self.given.concurrency == 1 else "threads"
        worker = self.app.Worker(
            pool=pool,
            concurrency=self.given.concurrency,
            loglevel="ERROR",
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )

        def stop() -> None:
            ledger.finished.wait()
            emptied(self.left)
            celery.worker.state.should_stop = 0

        threading.Thread(target=stop, daemon=True).start()
        with contextlib.suppress(SystemExit):
            worker.start()

    def left(self) -> int:
        """What waits, or runs or is prefetched."""
        client = self.app.backend.client
        return int(client.llen(self.given.queue) + client.hlen("unacked"))


if __name__ == "__main__":
    drive(Celery)
