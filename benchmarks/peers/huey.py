"""huey: one consumer of as many threads as the concurrency; results expire; no bulk add."""

from __future__ import annotations

import logging

from huey import RedisExpireHuey
from redis import ConnectionPool

from .common import CONNECTIONS, KEEP_SECONDS, Order, Payload
from .foreground import drive, handle
from .ledger import Ledger


class Huey:
    """The side."""

    def __init__(self, given: Order) -> None:
        self.given = given
        pool = ConnectionPool.from_url(given.url, max_connections=CONNECTIONS)
        self.huey = RedisExpireHuey(given.queue, connection_pool=pool, expire_time=KEEP_SECONDS)
        self.task = self.huey.task(name="handle")(handle)

    def add(self, data: Payload) -> object:
        """One job."""
        return self.task(data)

    def add_bulk(self, many: list[Payload]) -> object:
        """One by one."""
        for data in many:
            self.task(data)
        return None

    def work(self, ledger: Ledger) -> None:
        """One consumer in this process."""
        logging.getLogger("huey").setLevel(logging.ERROR)
        consumer = self.huey.create_consumer(workers=self.given.concurrency, periodic=False)
        consumer.start()
        ledger.finished.wait()
        consumer.stop(graceful=True)

    def left(self) -> int:
        """What waits."""
        return int(self.huey.pending_count())


if __name__ == "__main__":
    drive(Huey)
