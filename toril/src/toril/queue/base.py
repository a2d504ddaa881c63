"""What the parts of a queue share: its name, its connection, its scripts."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ..errors import JobLocked, JobNotFound, JobNotInState
from ..storage.address import Address, server_url
from ..storage.bulk import BulkStore
from ..storage.connection import Connection
from ..storage.jobs import LOCKED, MISSING, JobStore
from ..storage.keys import Keys
from ..storage.limits import LimitStore


class QueueBase:
    """A queue's name, connection and scripts. `Queue` says what the arguments are."""

    def __init__(self, name: str, url: str | None = None, *, prefix: str = "bull") -> None:
        self._name = name
        self.url = server_url(url)
        self.prefix = prefix
        keys = Keys(name, prefix)
        self._store = JobStore(Connection(Address.of(self.url).serving(keys.base)), keys)
        self._bulk = BulkStore(self._store.connection, self._store.keys)
        self._limits = LimitStore(self._store.connection, self._store.keys)

    @property
    def name(self) -> str:
        """The queue's name."""
        return self._name

    @property
    def store(self) -> JobStore:
        """The queue's scripts; for toril's own modules."""
        return self._store

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _check(self, code: int, job_id: str, state: str) -> None:
        if code == MISSING:
            raise JobNotFound(f"no job {job_id} in queue {self._name}", job_id)
        if code == LOCKED:
            raise JobLocked(f"job {job_id} is being run by a worker", job_id)
        if code < 0:
            raise JobNotInState(f"job {job_id} is not {state}", job_id)

    async def close(self) -> None:
        """Close the connection. May be called more than once."""
        await self._store.connection.close()
