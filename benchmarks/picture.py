"""One scenario as a picture: bars in plain SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from .goals import number

WIDTH = 760
LEFT = 150
RIGHT = 190
ROW = 26
TOP = 58
OURS = "#c2410c"
THEIRS = "#64748b"
FONT = "font-family='system-ui,sans-serif'"


class Row(NamedTuple):
    """One side's bar: the median, with the range as a line over its end."""

    title: str
    median: float
    least: float
    most: float
    ours: bool


def draw(title: str, unit: str, rows: Sequence[Row], *, less: bool = False) -> str:
    """The picture of one measure, in the order of the rows."""
    height = TOP + ROW * len(rows) + 10
    scale = (WIDTH - LEFT - RIGHT) / (max((row.most for row in rows), default=0.0) or 1.0)
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}'"
        f" height='{height}' role='img'>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        f"<text x='14' y='24' {FONT} font-size='16' font-weight='600' fill='#0f172a'>{escape(title)}</text>",
        f"<text x='14' y='43' {FONT} font-size='12' fill='#475569'>"
        f"{escape(unit)}, {'less' if less else 'more'} is better; median, with the range of all runs</text>",
    ]
    for place, row in enumerate(rows):
        parts += _bar(row, TOP + ROW * place, scale)
    return "\n".join([*parts, "</svg>", ""])


def _bar(row: Row, top: float, scale: float) -> list[str]:
    middle = top + ROW / 2
    end, least, most = (LEFT + value * scale for value in (row.median, row.least, row.most))
    colour = OURS if row.ours else THEIRS
    span = "" if row.least == row.most else f" ({number(row.least)}-{number(row.most)})"
    weight = "600" if row.ours else "400"
    return [
        f"<text x='{LEFT - 8}' y='{middle + 4:g}' {FONT} font-size='13' font-weight='{weight}'"
        f" text-anchor='end' fill='#0f172a'>{escape(row.title)}</text>",
        f"<rect x='{LEFT}' y='{top + 4:g}' width='{max(end - LEFT, 1.0):.1f}' height='{ROW - 8}' rx='2'"
        f" fill='{colour}'/>",
        f"<line x1='{least:.1f}' x2='{most:.1f}' y1='{middle:g}' y2='{middle:g}' stroke='#0f172a'/>",
        f"<text x='{max(end, most) + 8:.1f}' y='{middle + 4:g}' {FONT} font-size='12' fill='#0f172a'>"
        f"{number(row.median)}{span}</text>",
    ]
