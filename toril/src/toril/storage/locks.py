"""Renews locks from a thread: a blocking connection of its own, apart from the event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import valkey
from valkey.exceptions import NoScriptError, ValkeyError

from ..errors import ConnectionFailed
from .address import Address
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
        connection = (
            {"unix_socket_path": address.path}
            if address.path
            else {"host": address.host, "port": address.port, "ssl": address.use_tls}
        )
        self._client = valkey.Valkey(
            db=address.database,
            username=address.username,
            password=address.password,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            client_name="toril-keeper",
            **connection,
        )
        self._execute: Callable[..., list[list[bytes]]] = self._client.execute_command
        self._keys = keys
        self._lock_ms = lock_ms

    def extend(self, tokens: Mapping[str, str]) -> Renewed:
        """Renew the locks of jobs (id -> token).

        Raises:
            ConnectionFailed: the server cannot be reached or refuses.
        """
        flat = [part for item in tokens.items() for part in item]
        args = (len(self._keys.all), *self._keys.all, self._keys.base, self._lock_ms, *flat)
        try:
            try:
                lost, cancelled = self._execute("EVALSHA", sha("extend_locks"), *args)
            except NoScriptError:
                lost, cancelled = self._execute("EVAL", source("extend_locks"), *args)
        except (ValkeyError, OSError) as error:
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
        self._client.close()  # type: ignore[no-untyped-call]
