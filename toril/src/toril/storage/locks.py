"""Renews locks from a thread: a blocking connection of its own, apart from the event loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import ConnectionFailed, ServerRefused
from .address import Address
from .blocking import BlockingConnection
from .jobs import pair
from .keys import Keys
from .scripts import sha, source


class Renewed(NamedTuple):
    """What a renewal of locks has found."""

    lost: list[str]
    cancelled: dict[str, str]  # reasons of running jobs that were cancelled


class LockRenewer:
    """A blocking client for one verb. Not for use from an event loop."""

    def __init__(self, address: Address, keys: Keys, lock_ms: int, timeout: float) -> None:
        self._connection = BlockingConnection(address, "toril-keeper", timeout)
        self._keys = keys
        self._lock_ms = lock_ms

    def extend(self, tokens: Mapping[str, str]) -> Renewed:
        """Renew the locks of jobs (id -> token).

        Raises:
            ConnectionFailed: the server cannot be reached or refuses.
        """
        try:
            return self._extend(tokens)
        except ConnectionFailed:
            return self._extend(tokens)  # by a new connection, while the locks still hold

    def _extend(self, tokens: Mapping[str, str]) -> Renewed:
        flat = [part for item in tokens.items() for part in item]
        args: tuple[str | int, ...] = (
            len(self._keys.all),
            *self._keys.all,
            self._keys.base,
            self._lock_ms,
            *flat,
        )
        call = self._connection.call
        try:
            try:
                lost, cancelled = call("EVALSHA", sha("extend_locks"), *args)
            except ServerRefused as error:
                if error.code != "NOSCRIPT":
                    raise
                lost, cancelled = call("EVAL", source("extend_locks"), *args)
        except (ConnectionFailed, ServerRefused) as error:
            raise ConnectionFailed(f"locks could not be renewed: {error}") from error
        return Renewed(
            [job_id.decode("utf-8", "replace") for job_id in lost],
            {
                job_id.decode("utf-8", "replace"): reason.decode("utf-8", "replace")
                for job_id, reason in pair(cancelled).items()
            },
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
