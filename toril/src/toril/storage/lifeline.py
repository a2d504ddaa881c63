"""A worker's line to the server from a thread: that it lives, and that it still runs its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import ConnectionFailed, ServerRefused
from .address import Address
from .blocking import BlockingConnection
from .channel import Reply
from .jobs import pair
from .keys import Keys
from .scripts import sha, source


class Renewed(NamedTuple):
    """What a renewal of locks has found."""

    lost: list[str]
    cancelled: dict[str, str]  # reasons of running jobs that were cancelled


class Beat(NamedTuple):
    """What a sign of life has found."""

    begins: bool  # the worker was not known: this is its first one, or it was taken for dead
    given_back: list[str]  # jobs of workers that have died


SILENCE = 2.5
"""Beats that all workers must have missed for the server to have been away."""


class Lifeline:
    """A blocking connection of its own, apart from the event loop, in which it must not be used.

    Args:
        address: Where the server is.
        keys: The queue's.
        worker: The worker's id.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, address: Address, keys: Keys, worker: str, timeout: float) -> None:
        self._connection = BlockingConnection(address, "toril-keeper", timeout)
        self._keys = keys
        self._worker = worker

    def beat(self, every: float, death_after: float, max_stalled: int | None, card: str) -> Beat:
        """Tell that the worker lives, and look for those that do not.

        Args:
            every: Seconds between two beats.
            death_after: Seconds after which it is dead unless it tells again.
            max_stalled: How often a job may stall; None to look for nobody.
            card: What it tells of itself, by `WorkerCard.encode`.

        Raises:
            ConnectionFailed: the server cannot be reached or refuses.
        """
        silence_ms = round(every * SILENCE * 1000)
        most = -1 if max_stalled is None else max_stalled
        death_ms = round(death_after * 1000)
        begins, given_back = self._run("beat", self._worker, death_ms, silence_ms, most, card)
        return Beat(bool(begins), [job_id.decode("utf-8", "replace") for job_id in given_back])

    def leave(self) -> None:
        """Tell that the worker ends: there is nothing to take from it.

        Raises:
            ConnectionFailed: the server cannot be reached or refuses.
        """
        try:
            self._connection.call("HDEL", self._keys.cards, self._worker)
            self._connection.call("ZREM", self._keys.beats, self._worker)
        except ServerRefused as error:
            raise ConnectionFailed(f"the worker's end could not be told: {error}") from error

    def extend(self, tokens: Mapping[str, str], lock_ms: int) -> Renewed:
        """Renew the locks of jobs (id -> token).

        Raises:
            ConnectionFailed: the server cannot be reached or refuses.
        """
        flat = [part for item in tokens.items() for part in item]
        try:
            lost, cancelled = self._run("extend_locks", lock_ms, *flat)
        except ConnectionFailed:
            # By a new connection, while the locks still hold.
            lost, cancelled = self._run("extend_locks", lock_ms, *flat)
        return Renewed(
            [job_id.decode("utf-8", "replace") for job_id in lost],
            {
                job_id.decode("utf-8", "replace"): reason.decode("utf-8", "replace")
                for job_id, reason in pair(cancelled).items()
            },
        )

    def _run(self, script: str, *args: str | int) -> Reply:
        self._connection.follow()
        words = (len(self._keys.all), *self._keys.all, self._keys.base, *args)
        try:
            try:
                return self._connection.call("EVALSHA", sha(script), *words)
            except ServerRefused as error:
                if error.code != "NOSCRIPT":
                    raise
                return self._connection.call("EVAL", source(script), *words)
        except (ConnectionFailed, ServerRefused) as error:
            raise ConnectionFailed(f"the worker cannot keep its jobs: {error}") from error

    @property
    def reconnects(self) -> int:
        """How often its connection was made anew."""
        return self._connection.reconnects

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
