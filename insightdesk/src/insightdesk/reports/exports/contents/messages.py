"""The report on messages: one row a message, oldest first; internal notes too, since staff asks."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import select

from insightdesk.accounts.models import User
from insightdesk.reports.exports.contents.base import Content, Query, Scope, counted, period, streamed
from insightdesk.reports.exports.contents.tickets import ticket_conditions
from insightdesk.reports.exports.table import Chart, ChartKind, Column, Kind, Row
from insightdesk.tickets.models import Message, Ticket

_COLUMNS = (
    Column("Ticket", Kind.NUMBER, 9),
    Column("Subject", width=30),
    Column("Written", Kind.MOMENT, 18),
    Column("Author", width=18),
    Column("Role", width=10),
    Column("Visibility", width=11),
    Column("Message", width=70),
)
_CHARTS = (
    Chart("Messages written", ChartKind.TIME, 2),
    Chart("By role of the author", ChartKind.PARTS, 4),
    Chart("By visibility", ChartKind.PARTS, 5),
)


def messages_content(scope: Scope) -> Content:
    """The messages that were written in the period, on tickets that the other filters let through."""
    query: Query = (
        select(
            Ticket.number,
            Ticket.subject,
            Message.created_at,
            User.name,
            User.role,
            Message.visibility,
            Message.body,
        )
        .join(Ticket, Ticket.id == Message.ticket_id)
        .join(User, User.id == Message.author_id)
        .where(
            *ticket_conditions(scope),
            Message.organization_id == scope.organization_id,
            *period(scope, Message.created_at),
        )
        .order_by(Message.created_at, Message.id)
    )
    zone = scope.zone

    def convert(row: Row) -> Row:
        return (*row[:2], cast("datetime", row[2]).astimezone(zone), *row[3:])

    return Content("Messages", _COLUMNS, _CHARTS, counted(query), streamed(query, convert))
