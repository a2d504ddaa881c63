"""The file and the endpoint of one process's probes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from .file import LivenessFile
from .report import Health
from .server import HealthServer, Metrics

logger = logging.getLogger("toril")

TICK = 0.5
"""Seconds between two looks at the health."""


class Probes:
    """Answers `/live`, `/ready` and `/metrics`, and writes the liveness file.

    Args:
        health: Gives the present health.
        file: The liveness file's path; none if None.
        port: The endpoint's port; none if None.
        host: The address that it listens at.
        metrics: Gives the endpoint's answer to `/metrics`.
    """

    def __init__(
        self,
        health: Callable[[], Health],
        *,
        file: str | Path | None,
        port: int | None,
        host: str,
        metrics: Metrics | None = None,
    ) -> None:
        self._file = None if file is None else LivenessFile(Path(file))
        self._server = None if port is None else HealthServer(host, port, health, metrics)

    @property
    def port(self) -> int | None:
        """The endpoint's port."""
        return None if self._server is None else self._server.port

    async def start(self) -> None:
        """Listen, and see whether the file can be written. Raises InvalidOption."""
        if self._file is not None:
            self._file.check()
        if self._server is not None:
            await self._server.start()

    def write(self, health: Health) -> None:
        """Write the file, once the server has answered any worker."""
        if self._file is None or not any(q.ready for p in health.processes for q in p.queues.values()):
            return
        try:
            self._file.write(health)
        except OSError as error:
            logger.warning("the liveness file cannot be written: %s", error)

    async def stop(self) -> None:
        """Stop listening and remove the file."""
        if self._server is not None:
            await self._server.stop()
        if self._file is not None:
            self._file.remove()
