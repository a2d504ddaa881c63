"""The formats of an export. A writer takes rows as they come and holds none of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from insightdesk.reports.exports.formats.base import Writer
from insightdesk.reports.exports.formats.csv import CsvWriter
from insightdesk.reports.exports.formats.pdf import PdfWriter
from insightdesk.reports.exports.formats.xlsx import XlsxWriter
from insightdesk.reports.exports.models import ExportFormat
from insightdesk.reports.exports.table import Chart, Column, Heading

__all__ = ["Writer", "open_writer"]


def open_writer(
    format: ExportFormat,
    path: Path,
    heading: Heading,
    columns: Sequence[Column],
    charts: Sequence[Chart],
    *,
    byte_order_mark: bool,
    font: Path | None,
) -> Writer:
    """A writer of ``format`` into the file ``path``."""
    if format is ExportFormat.CSV:
        return CsvWriter(path, columns, byte_order_mark=byte_order_mark)
    if format is ExportFormat.XLSX:
        return XlsxWriter(path, heading, columns)
    return PdfWriter(path, heading, columns, charts, font)
