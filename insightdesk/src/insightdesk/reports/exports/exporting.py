"""The states of an export, as its job moves it: each function works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import User
from insightdesk.database import new_id
from insightdesk.email.service import queue_mail
from insightdesk.kit.errors import Invalid, explain
from insightdesk.reports.exports import repository
from insightdesk.reports.exports.contents import Scope
from insightdesk.reports.exports.models import Export, ExportState
from insightdesk.reports.exports.schemas import ExportFilters, ExportInput
from insightdesk.reports.storage import sign_link
from insightdesk.settings import get_settings


@dataclass(frozen=True)
class Order:
    """An export as a job asks for it."""

    job_key: str
    organization_id: str
    requested_by: str
    wanted: ExportInput


@dataclass(frozen=True)
class Work:
    """An export that is to be made now, and for whom."""

    export: Export
    scope: Scope
    requester: User
    assignee: str | None


class NotAllowed(Exception):
    """The export will never be made; the message says why, in one line."""


def link(export: Export, now: datetime) -> str | None:
    """A signed path to the export's file, as long as there is one."""
    if not export.is_available(now) or export.expires_at is None:
        return None
    secret = get_settings().secret.get_secret_value()
    return sign_link(secret, export.storage_key, name=export.file_name, expires_at=export.expires_at)


def wanted_of_payload(
    report_type: str, filters: Mapping[str, toril.Json], format: str, byte_order_mark: bool
) -> ExportInput:
    """What a job's payload asks for.

    Raises:
        NotAllowed: It does not fit; the message names the field.
    """
    try:
        return ExportInput.model_validate(
            {
                "reportType": report_type,
                "filters": filters,
                "format": format,
                "byteOrderMark": byte_order_mark,
            }
        )
    except ValidationError as error:
        raise NotAllowed(explain(error.errors(include_context=False))) from None


async def begin(session: AsyncSession, order: Order, now: datetime) -> Work | None:
    """Take an export up, for the first time or again; a producer who knows only queues gets his row here.

    Whether the requester may have it is asked again: since he asked, he may have left.

    Returns:
        What is to be made; None when it is done already.

    Raises:
        NotAllowed: The requester is no active agent or administrator of the organization (any more).
    """
    export = await repository.lock_by_key(session, order.job_key)
    if export is not None and export.state not in repository.UNFINISHED:
        return None
    requester = await accounts.find_user(session, order.organization_id, order.requested_by)
    if requester is None or not requester.role.is_staff:
        raise NotAllowed("requestedBy: no active agent or administrator of this organization")
    organization = await accounts.get_organization(session, order.organization_id)
    if export is None:
        export = new_export(order.organization_id, order.requested_by, order.wanted, now)
        export.job_key = order.job_key
        export = await repository.add(session, export)
    if (export.organization_id, export.requested_by) != (order.organization_id, order.requested_by):
        raise NotAllowed("the job's id belongs to another export")
    filters = ExportFilters.model_validate(export.filters)
    try:
        assignee = await assignee_of(session, order.organization_id, filters)
    except Invalid as error:
        raise NotAllowed(str(error)) from None
    export.state = ExportState.RUNNING
    export.error = None
    export.rows_done, export.rows_total = 0, None
    export.updated_at = now
    scope = Scope(
        organization_id=organization.id,
        organization_name=organization.name,
        zone=ZoneInfo(organization.time_zone),
        report_type=export.report_type,
        filters=filters,
    )
    return Work(export, scope, requester, assignee)


async def complete(session: AsyncSession, work: Work, rows: int, size: int, now: datetime) -> ExportState:
    """The file is stored: say so, and mail the requester his link. A second call does nothing.

    Returns:
        The state that it has then: ``failed`` when it was ended meanwhile; nobody is to get the file.
    """
    expires_at = now + timedelta(hours=get_settings().export_hours)
    export = await repository.finish(
        session,
        work.export.id,
        state=ExportState.DONE,
        error=None,
        rows_done=rows,
        rows_total=rows,
        size_bytes=size,
        finished_at=now,
        updated_at=now,
        expires_at=expires_at,
    )
    if export is None:
        return (await session.get_one(Export, work.export.id)).state
    settings = get_settings()
    await queue_mail(
        session,
        organization_id=export.organization_id,
        recipient=work.requester.email,
        template="report_ready",
        data={
            "name": work.requester.name,
            "reportType": export.report_type.label,
            "format": export.format.value.upper(),
            "rows": f"{rows:,}",
            "downloadUrl": f"{settings.base_url}{link(export, now)}",
            "expires": f"{expires_at.astimezone(work.scope.zone):%Y-%m-%d %H:%M %Z}",
        },
        key=f"export-ready:{export.id}",
        user_id=work.requester.id,
    )
    return export.state


async def put_off(session: AsyncSession, job_key: str, reason: str, now: datetime, *, final: bool) -> None:
    """A try failed: another comes, or (``final``) none."""
    export = await repository.lock_by_key(session, job_key)
    if export is None:
        return
    state = ExportState.FAILED if final else ExportState.QUEUED
    await repository.finish(
        session, export.id, state=state, error=reason, updated_at=now, finished_at=now if final else None
    )


def new_export(organization_id: str, requested_by: str, wanted: ExportInput, now: datetime) -> Export:
    export_id = new_id()
    return Export(
        id=export_id,
        organization_id=organization_id,
        requested_by=requested_by,
        report_type=wanted.report_type,
        format=wanted.format,
        filters=wanted.filters.model_dump(mode="json", by_alias=True, exclude_none=True),
        byte_order_mark=wanted.byte_order_mark,
        state=ExportState.QUEUED,
        rows_done=0,
        storage_key=f"exports/{organization_id}/{export_id}.{wanted.format.value}",
        created_at=now,
        updated_at=now,
    )


async def assignee_of(session: AsyncSession, organization_id: str, filters: ExportFilters) -> str | None:
    """The name of the person whose tickets are wanted."""
    if filters.assignee_id is None:
        return None
    user = await accounts.find_user(session, organization_id, filters.assignee_id)
    if user is None:
        raise Invalid("filters.assigneeId: no such user in this organization")
    return user.name
