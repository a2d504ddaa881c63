"""Exports: what was asked for, how far it is, and where its file lies."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from insightdesk.database import Base, Owned, text_enum


class ReportType(StrEnum):
    """What can be exported."""

    TICKETS = "tickets"
    SLA_ATTAINMENT = "sla-attainment"
    MESSAGES = "messages"

    @property
    def label(self) -> str:
        """As people read it."""
        return {
            ReportType.TICKETS: "tickets",
            ReportType.SLA_ATTAINMENT: "SLA attainment",
            ReportType.MESSAGES: "messages",
        }[self]


class ExportFormat(StrEnum):
    """As what; the value is the file's extension."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"

    @property
    def content_type(self) -> str:
        """As HTTP names it."""
        return {
            ExportFormat.CSV: "text/csv; charset=utf-8",
            ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ExportFormat.PDF: "application/pdf",
        }[self]


class ExportState(StrEnum):
    """``queued -> running -> done -> expired``; a failed try is ``queued`` again, the last one ``failed``."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


class Export(Owned, Base):
    """One export. ``job_key`` makes it one: whatever runs its job again finds this row."""

    __tablename__ = "exports"
    __table_args__ = (
        Index("ix_exports_recent", "organization_id", "created_at"),
        Index("ix_exports_requester", "requested_by"),
        Index("ix_exports_kept", "expires_at", postgresql_where=text("state = 'done'")),
        Index("ix_exports_unfinished", "updated_at", postgresql_where=text("state IN ('queued', 'running')")),
    )

    job_key: Mapped[str] = mapped_column(unique=True)
    requested_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    report_type: Mapped[ReportType] = mapped_column(text_enum(ReportType, "report_type"))
    format: Mapped[ExportFormat] = mapped_column(text_enum(ExportFormat, "format"))
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    byte_order_mark: Mapped[bool]
    state: Mapped[ExportState] = mapped_column(text_enum(ExportState, "state"), default=ExportState.QUEUED)
    rows_done: Mapped[int] = mapped_column(default=0)
    rows_total: Mapped[int | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    storage_key: Mapped[str] = mapped_column(unique=True)
    # Why the last try failed, in one line for the requester.
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    @property
    def file_name(self) -> str:
        """What the download is called."""
        return f"{self.report_type.value}-{self.created_at:%Y-%m-%d}.{self.format.value}"

    @property
    def percent(self) -> int:
        """How far it is."""
        if self.state in (ExportState.DONE, ExportState.EXPIRED):
            return 100
        return min(99, 100 * self.rows_done // self.rows_total) if self.rows_total else 0

    def is_available(self, now: datetime) -> bool:
        """Whether the file can be had."""
        return self.state is ExportState.DONE and self.expires_at is not None and now < self.expires_at
