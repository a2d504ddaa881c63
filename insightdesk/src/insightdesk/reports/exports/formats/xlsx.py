"""XLSX: rows go to disk one by one; text is never a formula or a link, whatever it looks like."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from insightdesk.reports.exports.formats.formulas import is_formula
from insightdesk.reports.exports.table import Cell, Column, Heading, Kind, Row

MAX_ROWS = 1_048_576
"""Rows of a sheet, its head included; what is beyond goes to a further sheet."""
MAX_TEXT = 32_767
"""Characters of a cell."""
MOMENT_WIDTH = 19
"""Characters of a moment; a narrower column shows it as ###."""
FILTER_MARK = 2
"""Characters that the filter's arrow covers of a head."""


class XlsxWriter:
    """Moments are local to the organization, since the format knows no zones; the head names the zone."""

    def __init__(
        self, path: Path, heading: Heading, columns: Sequence[Column], *, max_rows: int = MAX_ROWS
    ) -> None:
        self._heading, self._columns, self._max_rows = heading, columns, max_rows
        # Rows are spooled beside the file, so that whoever removes its folder removes them too.
        self._spool = path.with_suffix(".rows")
        self._spool.mkdir()
        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "tmpdir": str(self._spool),
                "use_zip64": True,
            },
        )
        self._book.set_properties({"title": heading.title, "company": heading.organization})
        self._head = self._book.add_format({"bold": True, "bg_color": "#0b6e5f", "font_color": "#ffffff"})
        # The same as the apostrophe in a CSV: it stays text when somebody edits it or saves it as CSV.
        self._quoted = self._book.add_format({"quote_prefix": True})
        self._kinds = {
            Kind.TEXT: None,
            Kind.NUMBER: None,
            Kind.PERCENT: self._book.add_format({"num_format": "0.0 %"}),
            Kind.MOMENT: self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        self._sheets = 0
        self._sheet = self._add_sheet()

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        for row in rows:
            if self._next == self._max_rows:
                self._finish_sheet()
                self._sheet = self._add_sheet()
            for place, cell in enumerate(row):
                self._write(place, cell)
            self._next += 1

    def close(self) -> None:
        """Complete the file."""
        self._finish_sheet()
        self._book.close()
        shutil.rmtree(self._spool)

    def abandon(self) -> None:
        """Remove the spooled rows."""
        # A workbook that was not closed would write itself when it is collected.
        self._book.fileclosed = 1
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()
        shutil.rmtree(self._spool, ignore_errors=True)

    def _add_sheet(self) -> Worksheet:
        self._sheets += 1
        title = self._heading.title if self._sheets == 1 else f"{self._heading.title} {self._sheets}"
        sheet = self._book.add_worksheet(title)
        for place, column in enumerate(self._columns):
            zone = f" ({self._heading.zone})" if column.kind is Kind.MOMENT else ""
            head = column.name + zone
            width = max(column.width, len(head) + FILTER_MARK, MOMENT_WIDTH if zone else 0) + 2
            sheet.set_column(place, place, width, self._kinds[column.kind])
            sheet.write_string(0, place, head, self._head)
        sheet.freeze_panes(1, 0)
        self._next = 1
        return sheet

    def _finish_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._next - 1, len(self._columns) - 1)

    def _write(self, place: int, cell: Cell) -> None:
        if cell is None:
            return
        if isinstance(cell, str):
            text = cell if len(cell) <= MAX_TEXT else cell[: MAX_TEXT - 1] + "…"
            self._sheet.write_string(self._next, place, text, self._quoted if is_formula(text) else None)
        elif isinstance(cell, datetime):
            moment = cell.replace(tzinfo=None, microsecond=0)
            self._sheet.write_datetime(self._next, place, moment, self._kinds[Kind.MOMENT])
        else:
            self._sheet.write_number(self._next, place, cell, self._kinds[self._columns[place].kind])
