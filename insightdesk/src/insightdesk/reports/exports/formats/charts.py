"""Pictures in a PDF."""

from __future__ import annotations

from reportlab.graphics.charts.barcharts import HorizontalBarChart, VerticalBarChart
from reportlab.graphics.shapes import Drawing, String
from reportlab.lib.colors import HexColor

from insightdesk.reports.exports.formats.fonts import Fonts
from insightdesk.reports.exports.formats.tally import Bars, Tally
from insightdesk.reports.exports.table import ChartKind

BRAND, INK, SOFT, LINE = HexColor("#0b6e5f"), HexColor("#1c2430"), HexColor("#5b6675"), HexColor("#dfe3ea")


def draw(tally: Tally, width: float, height: float, fonts: Fonts) -> Drawing:
    """One chart with its title, ``width`` by ``height`` points."""
    drawing = Drawing(width, height)
    title = String(0, height - 11, tally.chart.title, fontName=fonts.bold, fontSize=10, fillColor=INK)
    drawing.add(title)
    bars = [(fonts.fit(fonts.printable(label), 90, 7), value) for label, value in tally.bars()]
    if not bars:
        drawing.add(
            String(0, height / 2, "Nothing to show", fontName=fonts.plain, fontSize=9, fillColor=SOFT)
        )
    elif tally.chart.kind is ChartKind.PARTS:
        drawing.add(_parts(bars, width, height - 20, fonts))
    else:
        drawing.add(_columns(bars, width, height - 20, fonts, percent=tally.chart.kind is ChartKind.RATE))
    return drawing


def _columns(bars: Bars, width: float, height: float, fonts: Fonts, *, percent: bool) -> VerticalBarChart:
    chart = VerticalBarChart()
    # A few bars stay slim: the picture ends where they do.
    chart.x, chart.y, chart.width, chart.height = 34, 34, min(width - 40, 70 * len(bars)), height - 40
    chart.data = [[value for _, value in bars]]
    # Every label if they fit, else every second, third …
    every = 1 + len(bars) * 22 // int(chart.width)
    names = [label if place % every == 0 else "" for place, (label, _) in enumerate(bars)]
    chart.categoryAxis.categoryNames = names
    chart.categoryAxis.labels.angle = 40
    chart.categoryAxis.labels.boxAnchor = "ne"
    chart.categoryAxis.labels.dy = -2
    chart.barWidth, chart.groupSpacing = 10, 4
    chart.valueAxis.valueMax = 100 if percent else None
    chart.valueAxis.labelTextFormat = (lambda value: f"{value:.0f} %") if percent else _count
    return _dressed(chart, fonts)


def _parts(bars: Bars, width: float, height: float, fonts: Fonts) -> HorizontalBarChart:
    total = sum(value for _, value in bars)
    chart = HorizontalBarChart()
    chart.x, chart.width = 84, width - 150
    chart.height = min(height - 24, 26 * len(bars))
    chart.y = height - 8 - chart.height
    chart.data = [[value for _, value in reversed(bars)]]
    chart.categoryAxis.categoryNames = [label for label, _ in reversed(bars)]
    chart.categoryAxis.labels.boxAnchor = "e"
    chart.categoryAxis.labels.dx = -4
    chart.valueAxis.labelTextFormat = _count
    chart.valueAxis.visible = False
    chart.barLabelFormat = lambda value: f"{_count(value)}  ({100 * value / total:.1f} %)"
    chart.barLabels.fontName, chart.barLabels.fontSize, chart.barLabels.fillColor = fonts.plain, 7, INK
    chart.barLabels.boxAnchor, chart.barLabels.dx = "w", 4
    chart.barWidth, chart.groupSpacing = 10, 5
    return _dressed(chart, fonts)


def _dressed(chart: VerticalBarChart, fonts: Fonts) -> VerticalBarChart:
    chart.bars[0].fillColor, chart.bars[0].strokeColor = BRAND, None
    chart.valueAxis.valueMin = 0
    chart.valueAxis.strokeColor = chart.categoryAxis.strokeColor = LINE
    chart.valueAxis.visibleGrid, chart.valueAxis.gridStrokeColor = chart.valueAxis.visible, LINE
    for axis in (chart.valueAxis, chart.categoryAxis):
        axis.labels.fontName, axis.labels.fontSize, axis.labels.fillColor = fonts.plain, 7, SOFT
        axis.visibleTicks = False
    return chart


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else ""
