"""rq: the SimpleWorker, which forks no process for a job; one at a time; enqueue_many in a pipeline."""

from __future__ import annotations

import logging

from redis import Redis
from rq import Queue, SimpleWorker
from rq.registry import StartedJobRegistry

from .common import KEEP_SECONDS, Order, Payload
from .foreground import drive
from .ledger import Ledger

HANDLE = "benchmarks.peers.foreground.handle"
CHUNK = 500


class Rq:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.client = Redis.from_url(given.url)
        self.queue = Queue(given.queue, connection=self.client)

    def add(self, data: Payload) -> object:
        """One job."""
        return self.queue.enqueue(HANDLE, data, result_ttl=KEEP_SECONDS)

    def add_bulk(self, many: list[Payload]) -> object:
        """In pipelines."""
        for first in range(0, len(many), CHUNK):
            self.queue.enqueue_many(
                [
                    Queue.prepare_data(HANDLE, (data,), result_ttl=KEEP_SECONDS)
                    for data in many[first : first + CHUNK]
                ]
            )
        return None

    def work(self, ledger: Ledger) -> None:
        """One worker in this process; it looks whether to stop after each job."""
        logging.getLogger("rq.worker").setLevel(logging.ERROR)
        worker = SimpleWorker([self.queue], connection=self.client)
        ledger.tell(lambda: setattr(worker, "_stop_requested", True))
        worker.work(logging_level="ERROR")

    def left(self) -> int:
        """What waits or runs."""
        return int(self.queue.count + StartedJobRegistry(queue=self.queue).count)


if __name__ == "__main__":
    drive(Rq)
