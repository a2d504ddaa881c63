"""CSV (RFC 4180): UTF-8, every text quoted, no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from insightdesk.reports.exports.formats.formulas import neutral
from insightdesk.reports.exports.table import Cell, Column, Row


class CsvWriter:
    """Moments are ISO 8601 with their offset. ``byte_order_mark`` lets Excel see that it is UTF-8."""

    def __init__(self, path: Path, columns: Sequence[Column], *, byte_order_mark: bool) -> None:
        self._file = path.open("w", encoding="utf-8-sig" if byte_order_mark else "utf-8", newline="")
        self._csv = csv.writer(self._file, quoting=csv.QUOTE_ALL)
        self._csv.writerow([column.name for column in columns])

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        self._csv.writerows([[_cell(cell) for cell in row] for row in rows])

    def close(self) -> None:
        """Complete the file."""
        self._file.close()

    abandon = close


def _cell(value: Cell) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, str):
        return neutral(value)
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
