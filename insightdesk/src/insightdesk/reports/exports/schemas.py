"""What travels over REST about exports."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from insightdesk.kit.schema import Input, Schema
from insightdesk.reports.exports.models import ExportFormat, ExportState, ReportType
from insightdesk.tickets.models import Priority, TicketStatus

Each = TypeVar("Each")

MAX_PERIOD = timedelta(days=3660)
_PERIOD_ONLY = frozenset({"from_day", "to_day"})


def _listed(value: object) -> object:
    """One value is as good as a list of one."""
    return [value] if isinstance(value, str) else value


def _once(values: list[Each]) -> list[Each]:
    return list(dict.fromkeys(values))


Some = Annotated[list[Each], BeforeValidator(_listed), Field(min_length=1), AfterValidator(_once)]


class ExportFilters(Input):
    """Which rows are wanted; what is not said restricts nothing.

    ``from`` and ``to`` are days of the organization's calendar, both included; they speak of a ticket's
    creation, of a message's moment, and of when an SLA clock was due.
    """

    status: (
        Annotated[list[TicketStatus], BeforeValidator(_listed), Field(min_length=1), AfterValidator(_once)]
        | None
    ) = None
    priority: Some[Priority] | None = None
    assignee_id: str | None = Field(default=None, min_length=1, max_length=100)
    from_day: date | None = Field(default=None, alias="from")
    to_day: date | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _period(self) -> ExportFilters:
        if self.from_day and self.to_day:
            if self.to_day < self.from_day:
                raise ValueError("to: is before from")
            if self.to_day - self.from_day > MAX_PERIOD:
                raise ValueError(f"to: is more than {MAX_PERIOD.days} days after from")
        for name, day in (("from", self.from_day), ("to", self.to_day)):
            if day and not 1970 <= day.year <= 9000:
                raise ValueError(f"{name}: must be of the years 1970 to 9000")
        return self

    def misplaced(self, report_type: ReportType) -> list[str]:
        """The names of filters that are given and that this report does not have."""
        if report_type is not ReportType.SLA_ATTAINMENT:
            return []
        given = [name for name in self.model_fields_set if getattr(self, name) is not None]
        return sorted(
            ExportFilters.model_fields[name].alias or name for name in given if name not in _PERIOD_ONLY
        )


class ExportInput(Input):
    """An export to be made."""

    report_type: ReportType
    format: ExportFormat = ExportFormat.CSV
    filters: ExportFilters = Field(default_factory=ExportFilters)
    byte_order_mark: bool = False

    @model_validator(mode="after")
    def _fits(self) -> ExportInput:
        if misplaced := self.filters.misplaced(self.report_type):
            raise ValueError(f"filters.{misplaced[0]}: the report {self.report_type} has no such filter")
        if self.byte_order_mark and self.format is not ExportFormat.CSV:
            raise ValueError("byteOrderMark: only CSV has one")
        return self


class ExportView(Schema):
    """An export as its requester sees it; ``downloadUrl`` is there as long as the file can be had."""

    id: str
    report_type: ReportType
    format: ExportFormat
    state: ExportState
    percent: int
    rows_done: int
    rows_total: int | None
    size_bytes: int | None
    error: str | None
    requested_by: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    download_url: str | None = None
