"""The background side: every job's handler, the schedules, and the relay of the outbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

# Each import registers its module's jobs; a jobs.py that is missing here does not run.
import insightdesk.dead_letters.jobs
import insightdesk.email.jobs
import insightdesk.realtime.jobs
import insightdesk.recovery.jobs
import insightdesk.reports.digest.jobs
import insightdesk.reports.exports.jobs
import insightdesk.reports.weekly.jobs
import insightdesk.retention.jobs
import insightdesk.sla.jobs
import insightdesk.tickets.auto_close.jobs  # noqa: F401 - imported for its registrations
from insightdesk.admin.heartbeat import run_heartbeat
from insightdesk.database import close_database, database
from insightdesk.dead_letters.recorder import run_recorders
from insightdesk.jobs import app
from insightdesk.queues import QUEUES
from insightdesk.realtime.emitter import close_emitter
from insightdesk.schedules import declare, keep
from insightdesk.settings import get_settings
from toril import HealthMonitor, outbox

declare(app)

__all__ = ["app", "queue_limits", "run_worker"]


def queue_limits(concurrency: int | None = None) -> dict[str, int]:
    """Jobs at a time, for each queue that has handlers; ``concurrency`` caps them all."""
    handled = {definition.queue for definition in app.definitions}
    return {
        spec.name: min(spec.concurrency, concurrency or spec.concurrency)
        for spec in QUEUES
        if spec.name in handled
    }


async def run_worker(
    concurrency: int | None = None, liveness_file: Path | None = None, health_port: int | None = None
) -> int:
    """Work until SIGTERM or SIGINT, then finish what is under way, for as long as the settings allow.

    Args:
        concurrency: No queue runs more jobs at a time than this.
        liveness_file: Is touched while the workers make progress; see `toril.HealthMonitor`.
        health_port: Where probes ask for `/live` and `/ready`, and Prometheus for `/metrics`.

    Returns:
        How many running jobs were handed back, to be run by another worker.

    Raises:
        toril.InvalidOption: the file or the port cannot be used.
    """
    async with HealthMonitor(lambda: app.workers, file=liveness_file, port=health_port, metrics=app.metrics):
        return await _work(concurrency)


async def _work(concurrency: int | None) -> int:
    relay = outbox.OutboxRelay(database().engine, url=get_settings().valkey_url)
    working = asyncio.create_task(
        app.run_worker(queue_limits(concurrency), drain_timeout=get_settings().drain_seconds), name="workers"
    )
    beside = {
        asyncio.create_task(relay.run(), name="outbox relay"),
        asyncio.create_task(run_heartbeat(database()), name="heartbeat"),
        asyncio.create_task(keep(app), name="schedules"),
        asyncio.create_task(
            run_recorders(database(), get_settings().valkey_url, [spec.name for spec in QUEUES]),
            name="recorders of failures",
        ),
    }
    try:
        # Whatever of these ends with an error ends the process: none may be missing unnoticed.
        done, _ = await asyncio.wait({working, *beside}, return_when=asyncio.FIRST_COMPLETED)
        app.stop()
        handed_back = await working
        for task in done:
            task.result()
        return handed_back
    finally:
        relay.stop()
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        await app.close()
        await close_emitter()
        await close_database()
