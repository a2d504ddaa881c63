"""dramatiq: one process of as many threads as the concurrency; results stored; no bulk add."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from redis import Redis

from .common import CONNECTIONS, KEEP_SECONDS, Order, Payload
from .foreground import drive, emptied, handle
from .ledger import Ledger


class Dramatiq:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        client = Redis.from_url(given.url, max_connections=CONNECTIONS)
        self.broker = RedisBroker(client=client)
        backend = RedisBackend(client=client)
        self.broker.add_middleware(
            Results(backend=backend, store_results=True, result_ttl=KEEP_SECONDS * 1000)
        )
        dramatiq.set_broker(self.broker)
        self.actor = dramatiq.actor(handle, queue_name=given.queue, broker=self.broker)

    def add(self, data: Payload) -> object:
        """One job."""
        return self.actor.send(data)

    def add_bulk(self, many: list[Payload]) -> object:
        """One by one."""
        for data in many:
            self.actor.send(data)
        return None

    def work(self, ledger: Ledger) -> None:
        """One worker in this process."""
        worker = dramatiq.Worker(self.broker, worker_threads=self.given.concurrency)
        worker.start()
        ledger.finished.wait()
        emptied(self.left)
        worker.stop()

    def left(self) -> int:
        """What waits or runs."""
        return int(self.broker.client.hlen(f"dramatiq:{self.given.queue}.msgs"))


if __name__ == "__main__":
    drive(Dramatiq)
