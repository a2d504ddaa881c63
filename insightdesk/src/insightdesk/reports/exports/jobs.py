"""The jobs of exports. Node producers send the same payload, in camelCase."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

import toril
from insightdesk.database import database, transaction
from insightdesk.jobs import LOW, app, delivery_key
from insightdesk.kit import clock
from insightdesk.reports.exports import collecting, exporting, making, repository
from insightdesk.reports.exports.exporting import NotAllowed, Order
from insightdesk.reports.exports.live import tell
from insightdesk.reports.exports.models import ExportState
from insightdesk.reports.storage import StorageError, storage
from insightdesk.settings import get_settings

log = structlog.get_logger(__name__)


@app.job(
    "reports",
    name="export",
    **LOW.options,
    timeout=3600.0,
    keep_completed=toril.Keep(count=1_000, age=4 * 3600.0),
    keep_failed=toril.Keep(count=1_000, age=86_400.0),
)
async def export_report(
    job: toril.Job,
    organization_id: str,
    report_type: str,
    filters: dict[str, Any],
    requested_by: str,
    format: str = "csv",
    byte_order_mark: bool = False,
) -> dict[str, int]:
    """Makes one export; a second run of the same job finds it made."""
    key = delivery_key(job)
    try:
        wanted = exporting.wanted_of_payload(report_type, filters, format, byte_order_mark)
        order = Order(key, organization_id, requested_by, wanted)
        async with transaction() as session:
            work = await exporting.begin(session, order, clock.now())
    except NotAllowed as error:
        await _put_off(key, str(error), final=True)
        raise toril.Fail(str(error)) from error
    if work is None:
        return {}

    async def report(done: int, total: int) -> None:
        async with transaction() as session:
            await repository.set_progress(session, work.export.id, done, total, clock.now())
        await tell(work.export, ExportState.RUNNING, done, total)
        await job.update_progress(min(99, 100 * done // total) if total else 0)

    final = job.attempts_made + 1 >= job.options.attempts
    try:
        rows, size = await making.make(
            database(), storage(), work, clock.now(), report, get_settings().pdf_font
        )
        async with transaction() as session:
            state = await exporting.complete(session, work, rows, size, clock.now())
    except Exception as error:
        await _put_off(key, _reason(error), final=final)
        await tell(work.export, ExportState.FAILED if final else ExportState.QUEUED)
        if final:
            await _remove(work.export.storage_key)
        raise
    await tell(work.export, state, rows, rows)
    if state is ExportState.FAILED:
        await _remove(work.export.storage_key)
        return {}
    log.info("export made", export=work.export.id, report=report_type, rows=rows, bytes=size)
    await job.update_progress(100)
    return {"rows": rows, "bytes": size}


@app.job(
    "cleanup",
    name="orphaned-files",
    **LOW.options,
    timeout=3600.0,
    keep_completed=toril.Keep(count=100, age=7 * 86_400.0),
    keep_failed=toril.Keep(count=100, age=7 * 86_400.0),
)
async def collect_files() -> dict[str, int]:
    """Removes the files of exports whose time is over, and those that belong to none."""
    result = await collecting.collect(database(), storage(), clock.now())
    if result.expired or result.lost or result.orphans:
        log.info("files collected", expired=result.expired, lost=result.lost, orphans=result.orphans)
    return {"expired": result.expired, "lost": result.lost, "orphans": result.orphans}


async def _put_off(key: str, reason: str, *, final: bool) -> None:
    try:
        async with transaction() as session:
            await exporting.put_off(session, key, reason, clock.now(), final=final)
    except SQLAlchemyError as error:
        # The database is what failed. The next try, or the collector, sets the state right.
        log.warning("state of an export not written", key=key, error=str(error).splitlines()[0])


async def _remove(storage_key: str) -> None:
    """Take away a file that no export will need; one that cannot be reached is left to the collector."""
    try:
        await storage().delete([storage_key])
    except StorageError as error:
        log.warning("file not removed", key=storage_key, error=str(error))


def _reason(error: Exception) -> str:
    """What the requester is told: of the inside, that it is the inside."""
    if isinstance(error, StorageError):
        return str(error)
    if isinstance(error, OSError):
        return f"the file could not be written: {error.strerror or type(error).__name__}"
    if isinstance(error, DBAPIError):
        return "the database could not be read"
    return "something in here is broken"
