"""`manage.py toril_worker`: runs the declared jobs, and relays the outbox if wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from toril.cli.limits import limits_of
from toril.errors import TorilError
from toril.health import HealthMonitor
from toril.integrations.django.application import application
from toril.processes import Exit

_DJANGO_S_OWN = {"client_encoding", "context", "cursor_factory", "prepare_threshold"}
"""What Django adds to the connection's parameters for its own use."""


class Command(BaseCommand):
    """The command."""

    help = "Run the jobs of TORIL_APP until Ctrl-C or SIGTERM; a second one hands running jobs back."

    def add_arguments(self, parser: CommandParser) -> None:
        """Those of `toril worker` that make sense here."""
        parser.add_argument("--queue", action="append", default=[], help="QUEUE or QUEUE=N; all if none.")
        parser.add_argument("--concurrency", type=int, default=10, help="Jobs at a time of each queue.")
        parser.add_argument("--drain-timeout", type=float, default=30.0, help="Seconds that a stop waits.")
        parser.add_argument("--health-port", type=int, help="Serve /live, /ready and /metrics there.")
        parser.add_argument("--health-host", default="0.0.0.0", help="The address of the endpoint.")
        parser.add_argument("--relay", action="store_true", help="Relay the outbox of the default database.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop."""
        try:
            handed_back = asyncio.run(
                _work(
                    options["queue"],
                    options["concurrency"],
                    options["drain_timeout"],
                    options["health_port"],
                    options["health_host"],
                    options["relay"],
                )
            )
        except TorilError as error:
            raise CommandError(str(error)) from error
        if handed_back:
            raise CommandError(f"{handed_back} running jobs were handed back", returncode=Exit.HANDED_BACK)


async def _work(
    queues: Sequence[str], concurrency: int, drain_timeout: float, port: int | None, host: str, relay: bool
) -> int:
    app = application()
    limits = limits_of(app, queues, concurrency)
    async with HealthMonitor(lambda: app.workers, port=port, host=host, metrics=app.metrics):
        relaying = asyncio.create_task(_relay(app.url, app.prefix)) if relay else None
        try:
            return await app.run_worker(limits, concurrency, drain_timeout=drain_timeout)
        finally:
            if relaying is not None:
                relaying.cancel()
                await asyncio.wait([relaying])
            await app.close()


async def _relay(url: str, prefix: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    from toril.outbox import OutboxRelay

    given = connections["default"].get_connection_params()
    place = {name: value for name, value in given.items() if name not in _DJANGO_S_OWN}
    engine = create_async_engine("postgresql+psycopg://", connect_args=place)
    try:
        await OutboxRelay(engine, url=url, prefix=prefix).run()
    finally:
        await engine.dispose()
