"""What others may do with exports. Each function works in the caller's transaction: an export and the job
that makes it are stored together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk import outbox
from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.kit import clock
from insightdesk.kit.errors import NotFound, TooMany
from insightdesk.kit.pagination import PageRequest
from insightdesk.reports.exports import repository
from insightdesk.reports.exports.exporting import assignee_of, new_export
from insightdesk.reports.exports.jobs import collect_files, export_report
from insightdesk.reports.exports.models import Export
from insightdesk.reports.exports.recovery import job_id_of, job_of, recover
from insightdesk.reports.exports.schemas import ExportInput

__all__ = [
    "MAX_UNFINISHED",
    "download",
    "erase_person",
    "get_export",
    "list_exports",
    "recover",
    "request_export",
]

MAX_UNFINISHED = 5
"""Exports that one person may have under way."""


async def request_export(
    session: AsyncSession, actor: Principal, wanted: ExportInput, now: datetime
) -> Export:
    """An export for ``actor``, which will be made if the transaction commits.

    Raises:
        Forbidden: He is a customer.
        Invalid: The filters name an assignee whom the organization does not have.
        TooMany: He has several exports under way already.
    """
    actor.require(Role.ADMIN, Role.AGENT)
    await assignee_of(session, actor.organization_id, wanted.filters)
    if await repository.count_unfinished(session, actor.user_id) >= MAX_UNFINISHED:
        raise TooMany(f"you have {MAX_UNFINISHED} exports under way; wait for one of them")
    export = new_export(actor.organization_id, actor.user_id, wanted, now)
    job_id = job_id_of(export.id)
    export.job_key = f"{export_report.queue}:{job_id}"
    session.add(export)
    await outbox.enqueue(session, export_report.queue, job_of(export, actor.user_id))
    details = {"reportType": export.report_type, "format": export.format, "filters": export.filters}
    accounts.audit(session, actor, "export.requested", "export", export.id, **details)
    return export


async def list_exports(
    session: AsyncSession, reader: Principal, page: PageRequest
) -> tuple[Sequence[Export], int]:
    """A page of the exports that the reader may see, and how many there are."""
    reader.require(Role.ADMIN, Role.AGENT)
    return await repository.exports(session, reader.organization_id, page, requested_by=_restriction(reader))


async def get_export(session: AsyncSession, reader: Principal, export_id: str) -> Export:
    """One export: an agent's own, or any of the organization for an administrator."""
    reader.require(Role.ADMIN, Role.AGENT)
    found = await repository.export(
        session, reader.organization_id, export_id, requested_by=_restriction(reader)
    )
    if found is None:
        raise NotFound("export not found")
    return found


async def download(session: AsyncSession, reader: Principal, export_id: str, now: datetime) -> Export:
    """The export whose file the reader is about to get; it is noted who got it.

    Raises:
        NotFound: There is none for these eyes, or no file (yet, or any more).
    """
    export = await get_export(session, reader, export_id)
    if not export.is_available(now):
        raise NotFound(f"the export has no file: it is {export.state}")
    accounts.audit(session, reader, "export.downloaded", "export", export.id)
    return export


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Let every file go that may speak of a person: all of the organization's, since any may.

    Returns:
        How many exports lose their file.
    """
    count = await repository.end_all(session, organization_id, clock.now())
    if count:
        await outbox.enqueue(session, collect_files.queue, collect_files.new_job())
    return count


def _restriction(reader: Principal) -> str | None:
    """The person whose exports alone may be seen; None for an administrator."""
    return None if reader.role is Role.ADMIN else reader.user_id
