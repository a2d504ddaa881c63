"""PDF: a page of figures and pictures about all rows, then the first rows as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from reportlab.graphics import renderPDF
from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfgen.canvas import Canvas

from insightdesk.reports.exports.formats.charts import BRAND, INK, LINE, SOFT, draw
from insightdesk.reports.exports.formats.fonts import load_fonts
from insightdesk.reports.exports.formats.tally import Tally
from insightdesk.reports.exports.table import Cell, Chart, Column, Heading, Kind, Row

TABLE_ROWS = 1_000
"""Rows that are printed; nobody reads a hundred thousand on paper, and CSV and XLSX have them all."""

_WIDTH, _HEIGHT = landscape(A4)
_MARGIN = 36.0
_LINE = 15.0
_SIZE = 6.5


class PdfWriter:
    """Counts every row, prints the first."""

    def __init__(
        self,
        path: Path,
        heading: Heading,
        columns: Sequence[Column],
        charts: Sequence[Chart],
        font: Path | None,
    ) -> None:
        self._heading, self._columns = heading, columns
        self._fonts = load_fonts(font)
        self._canvas = Canvas(str(path), pagesize=(_WIDTH, _HEIGHT), pageCompression=1)
        self._canvas.setTitle(f"{heading.title} - {heading.organization}")
        self._canvas.setAuthor(heading.organization)
        self._tallies = [Tally(chart) for chart in charts]
        self._first: list[Row] = []
        self._total = 0
        weights = sum(column.width for column in columns)
        self._widths = [(_WIDTH - 2 * _MARGIN) * column.width / weights for column in columns]

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        self._total += len(rows)
        self._first += rows[: TABLE_ROWS - len(self._first)]
        for tally in self._tallies:
            tally.add(rows)

    def close(self) -> None:
        """Complete the file."""
        self._summary()
        at = 0.0
        for row in self._first:
            if at < _MARGIN + _LINE:
                at = self._new_table_page()
            at = self._print(at, [self._text(place, cell) for place, cell in enumerate(row)])
        self._footer()
        self._canvas.save()

    def abandon(self) -> None:
        """Nothing is open: the file is written when it is complete."""

    def _summary(self) -> None:
        canvas, heading, fonts = self._canvas, self._heading, self._fonts
        width = _WIDTH - 2 * _MARGIN
        canvas.setFillColor(BRAND)
        canvas.rect(0, _HEIGHT - 78, _WIDTH, 78, stroke=0, fill=1)
        canvas.setFillColor("#ffffff")
        canvas.setFont(fonts.bold, 22)
        canvas.drawString(_MARGIN, _HEIGHT - 42, heading.title)
        canvas.setFont(fonts.plain, 11)
        canvas.drawString(
            _MARGIN, _HEIGHT - 62, fonts.fit(fonts.printable(heading.organization), width - 160, 11)
        )
        canvas.setFont(fonts.bold, 22)
        canvas.drawRightString(_WIDTH - _MARGIN, _HEIGHT - 42, f"{self._total:,}")
        canvas.setFont(fonts.plain, 11)
        canvas.drawRightString(_WIDTH - _MARGIN, _HEIGHT - 62, "row" if self._total == 1 else "rows")
        at = _HEIGHT - 104
        facts = [*heading.facts, ("Made", f"{heading.made_at:%Y-%m-%d %H:%M} ({heading.zone})")]
        if self._total > len(self._first):
            facts.append(
                ("Printed", f"the first {len(self._first):,} rows; CSV and XLSX have all {self._total:,}")
            )
        for label, value in facts:
            canvas.setFillColor(SOFT)
            canvas.setFont(fonts.plain, 9)
            canvas.drawString(_MARGIN, at, label)
            canvas.setFillColor(INK)
            canvas.drawString(_MARGIN + 90, at, fonts.fit(fonts.printable(value), width - 90, 9))
            at -= 15
        self._pictures(at - 8)

    def _pictures(self, top: float) -> None:
        """The first picture over the whole width, the others below it side by side."""
        if not self._tallies:
            return
        width, gap = _WIDTH - 2 * _MARGIN, 24.0
        wide, *others = self._tallies
        height = (top - _MARGIN - 14) / (2 if others else 1)
        renderPDF.draw(draw(wide, width, height - 8, self._fonts), self._canvas, _MARGIN, top - height)
        each = (width - gap * (len(others) - 1)) / max(len(others), 1)
        for place, tally in enumerate(others):
            picture = draw(tally, each, height - 8, self._fonts)
            renderPDF.draw(picture, self._canvas, _MARGIN + place * (each + gap), top - 2 * height)

    def _new_table_page(self) -> float:
        self._footer()
        self._canvas.showPage()
        top = _HEIGHT - _MARGIN
        self._canvas.setFillColor(BRAND)
        self._canvas.rect(_MARGIN, top - _LINE, _WIDTH - 2 * _MARGIN, _LINE, stroke=0, fill=1)
        self._canvas.setFillColor("#ffffff")
        names = [
            self._fonts.fit(column.name, width - 6, _SIZE, bold=True)
            for column, width in zip(self._columns, self._widths, strict=True)
        ]
        return self._print(top, names, head=True)

    def _print(self, top: float, texts: Sequence[str], *, head: bool = False) -> float:
        canvas = self._canvas
        canvas.setFont(self._fonts.bold if head else self._fonts.plain, _SIZE)
        if not head:
            canvas.setFillColor(INK)
        left = _MARGIN
        for column, width, text in zip(self._columns, self._widths, texts, strict=True):
            if column.kind in (Kind.NUMBER, Kind.PERCENT):
                canvas.drawRightString(left + width - 6, top - _LINE + 4.5, text)
            else:
                canvas.drawString(left + 3, top - _LINE + 4.5, text)
            left += width
        canvas.setStrokeColor(LINE)
        canvas.line(_MARGIN, top - _LINE, _WIDTH - _MARGIN, top - _LINE)
        return top - _LINE

    def _text(self, place: int, cell: Cell) -> str:
        if cell is None:
            return ""
        if isinstance(cell, datetime):
            text = f"{cell:%Y-%m-%d %H:%M}"
        elif self._columns[place].kind is Kind.PERCENT and not isinstance(cell, str):
            text = f"{100 * cell:.1f} %"
        else:
            # More letters than a column can have are not looked at.
            text = self._fonts.printable(str(cell)[:400])
        return self._fonts.fit(text, self._widths[place] - 6, _SIZE)

    def _footer(self) -> None:
        canvas = self._canvas
        canvas.setFillColor(SOFT)
        canvas.setFont(self._fonts.plain, 7)
        canvas.drawString(_MARGIN, 20, f"{self._heading.title}, times in {self._heading.zone}")
        canvas.drawRightString(_WIDTH - _MARGIN, 20, f"page {canvas.getPageNumber()}")
