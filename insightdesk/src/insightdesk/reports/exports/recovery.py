"""Exports whose job is gone, because the queue's server lost what it had: they get another of its id."""

from __future__ import annotations

from datetime import datetime

from insightdesk.database import Database
from insightdesk.recovery.service import LIMIT, stage_lost
from insightdesk.reports.exports import repository
from insightdesk.reports.exports.jobs import export_report
from insightdesk.reports.exports.models import Export
from toril import NewJob

__all__ = ["job_id_of", "job_of", "recover"]

BATCH = 500


def job_id_of(export_id: str) -> str:
    """The id of the job that makes an export which was asked for here."""
    return f"export-{export_id}"


def job_of(export: Export, requested_by: str) -> NewJob:
    """The job that makes it."""
    return export_report.options(job_id=job_id_of(export.id)).new_job(
        organization_id=export.organization_id,
        report_type=export.report_type.value,
        filters=export.filters,
        requested_by=requested_by,
        format=export.format.value,
        byte_order_mark=export.byte_order_mark,
    )


async def recover(database: Database, now: datetime, *, batch: int = BATCH) -> int:
    """Stage the jobs of exports that have none any more; returns how many.

    Those of producers that know only queues cannot be told from others by their id: the collector ends them
    after a day.
    """
    staged, after = 0, ""
    while True:
        async with database.transaction() as session:
            found = await repository.silent(session, now - LIMIT, after, batch)
        jobs = [
            job_of(export, export.requested_by)
            for export in found
            if export.requested_by is not None
            and export.job_key == f"{export_report.queue}:{job_id_of(export.id)}"
        ]
        staged += await stage_lost(database, export_report.queue, jobs)
        if len(found) < batch:
            return staged
        after = found[-1].id
