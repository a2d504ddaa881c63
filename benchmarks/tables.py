"""The record as tables in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .goals import number
from .record import Figure, Record
from .scenarios.base import Scenario
from .sides import BY_KEY

GOAL_HEAD = ("scenario", "goal", "measured", "verdict")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def goal_rows(record: Record, scenarios: Sequence[Scenario]) -> list[list[str]]:
    """One row a goal: what it asks, what was measured, and whether that meets it."""
    rows = []
    for scenario in scenarios:
        for goal in scenario.goals:
            judgement = goal.judge(record, scenario.key)
            rows.append([scenario.title, goal.text, judgement.measured, judgement.verdict.value])
    return rows


def side_title(key: str) -> str:
    """A side's name, marked if it can lose jobs."""
    side = BY_KEY[key]
    return f"{side.title}{' ⚠' if side.loses else ''}"


def side_head(scenario: Scenario) -> list[str]:
    """The head of a scenario's table."""
    return ["side", *(column.title for column in scenario.columns)]


def side_rows(record: Record, scenario: Scenario) -> list[list[str]]:
    """One row a side: median and range of each measure."""
    rows = []
    for key in scenario.sides:
        figure = record.figure(scenario.key, key)
        if figure is None:
            continue
        cells = [cell(figure, column.measure) for column in scenario.columns]
        if figure.error:
            cells[0] = f"failed: {figure.error}"
        rows.append([side_title(key), *cells])
    return rows


def cell(figure: Figure, measure: str) -> str:
    """Median and range of a measure."""
    median = figure.median(measure)
    if median is None:
        return "-"
    least, most = figure.span(measure)
    return number(median) if least == most else f"{number(median)} ({number(least)}-{number(most)})"
