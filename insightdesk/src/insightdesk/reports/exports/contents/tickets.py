"""The report on tickets: one row a ticket, oldest first."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from insightdesk.accounts.models import User
from insightdesk.reports.exports.contents.base import Content, Query, Scope, counted, period, streamed
from insightdesk.reports.exports.table import Chart, ChartKind, Column, Kind, Row
from insightdesk.tickets.models import Ticket

_COLUMNS = (
    Column("Number", Kind.NUMBER, 9),
    Column("Subject", width=32),
    Column("Status", width=10),
    Column("Priority", width=10),
    Column("Customer", width=18),
    Column("Customer e-mail", width=24),
    Column("Assignee", width=18),
    Column("Created", Kind.MOMENT, 19),
    Column("Updated", Kind.MOMENT, 19),
    Column("Resolved", Kind.MOMENT, 19),
    Column("Closed", Kind.MOMENT, 19),
    Column("Closed because", width=20),
)
_CHARTS = (
    Chart("Tickets created", ChartKind.TIME, 7),
    Chart("By status", ChartKind.PARTS, 2),
    Chart("By priority", ChartKind.PARTS, 3),
)


def ticket_conditions(scope: Scope) -> list[ColumnElement[bool]]:
    """What the filters on tickets say."""
    filters = scope.filters
    conditions: list[ColumnElement[bool]] = [Ticket.organization_id == scope.organization_id]
    if filters.status:
        conditions.append(Ticket.status.in_(filters.status))
    if filters.priority:
        conditions.append(Ticket.priority.in_(filters.priority))
    if filters.assignee_id:
        conditions.append(Ticket.assignee_id == filters.assignee_id)
    return conditions


def tickets_content(scope: Scope) -> Content:
    """The tickets that were created in the period."""
    customer, assignee = aliased(User), aliased(User)
    query: Query = (
        select(
            Ticket.number,
            Ticket.subject,
            Ticket.status,
            Ticket.priority,
            customer.name,
            customer.email,
            assignee.name,
            Ticket.created_at,
            Ticket.updated_at,
            Ticket.resolved_at,
            Ticket.closed_at,
            Ticket.closed_reason,
        )
        .join(customer, customer.id == Ticket.customer_id)
        .outerjoin(assignee, assignee.id == Ticket.assignee_id)
        .where(*ticket_conditions(scope), *period(scope, Ticket.created_at))
        .order_by(Ticket.created_at, Ticket.id)
    )
    zone = scope.zone

    def convert(row: Row) -> Row:
        moments = (cast("datetime", moment).astimezone(zone) if moment else None for moment in row[7:11])
        return (*row[:7], *moments, row[11])

    return Content("Tickets", _COLUMNS, _CHARTS, counted(query), streamed(query, convert))
