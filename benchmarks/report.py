"""Writes a record into the documentation: `python -m benchmarks.report RESULT.json`.

docs/benchmarks.md gets the goals, a table and a picture a scenario, and what is to be known of each side;
README.md gets a short table and the goals. Both between markers; the pictures are
docs/benchmarks/<scenario>.svg, and the record itself is kept beside them as record.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from . import tables
from .goals import Ratio, Verdict, number
from .picture import Row, draw
from .places import ROOT
from .record import RATE, Record
from .scenarios import SCENARIOS
from .scenarios.base import Scenario
from .sides import BY_KEY, NODE, PYTHON_PEERS, SIDES, TORIL

BEGIN = "<!-- benchmarks: made by `python -m benchmarks.report`, not by hand -->"
RECORD = "record.json"
END = "<!-- benchmarks: end -->"


class NoMarkers(Exception):
    """A file has no place for the tables."""


def between(text: str, inner: str) -> str:
    """The text with `inner` between the markers.

    Raises:
        NoMarkers: they are not there.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise NoMarkers("no markers for the tables")
    return f"{head}{BEGIN}\n{inner.strip()}\n{END}{tail}"


def conditions(record: Record) -> str:
    """Where and when it was measured."""
    again = [scenario.title for scenario in SCENARIOS if scenario.key in record.redone]
    disturbed = (
        f" Measured again later, since other work had disturbed it: {', '.join(again)}." if again else ""
    )
    return (
        f"Measured on {record.at[:10]} in the {record.mode} mode on {record.machine}, Python {record.python}"
        f"{f', {record.server}' if record.server else ''}; load average {record.load:g} when it began."
        f"{disturbed}"
    )


def verdicts(record: Record) -> str:
    """How many goals are met."""
    found = [goal.judge(record, scenario.key).verdict for scenario in SCENARIOS for goal in scenario.goals]
    return ", ".join(f"{found.count(verdict)} {verdict.value}" for verdict in Verdict)


def picture_rows(record: Record, scenario: Scenario) -> list[Row]:
    """The bars of a scenario's first column."""
    measure = scenario.columns[0].measure
    rows = []
    for key in scenario.sides:
        figure = record.figure(scenario.key, key)
        median = figure.median(measure) if figure else None
        if figure is not None and median is not None:
            rows.append(Row(tables.side_title(key), median, *figure.span(measure), key == TORIL))
    return rows


def long_report(record: Record) -> str:
    """What docs/benchmarks.md says."""
    parts = [
        conditions(record),
        f"## Goals\n\n{verdicts(record)}.",
        tables.table(tables.GOAL_HEAD, tables.goal_rows(record, SCENARIOS)),
        "## Scenarios",
    ]
    for scenario in SCENARIOS:
        rows = tables.side_rows(record, scenario)
        if not rows:
            continue
        alone = "toril alone. " if scenario.sides == (TORIL,) else ""
        parts += [f"### {scenario.title}", alone + scenario.about]
        if picture_rows(record, scenario):
            parts.append(f"![{scenario.title}](benchmarks/{scenario.key}.svg)")
        parts.append(tables.table(tables.side_head(scenario), rows))
    parts += ["## Sides", "⚠ marks those that can lose jobs.", tables.table(*sides(record))]
    return "\n\n".join(part for part in parts if part)


def sides(record: Record) -> tuple[list[str], list[list[str]]]:
    """What is to be known of each side."""
    rows = [
        [
            tables.side_title(side.key),
            record.versions.get(side.key, "-"),
            side.setting,
            side.loses or "acknowledges after the run",
        ]
        for side in SIDES
    ]
    return ["side", "version", "setting", "guarantee"], rows


def short_report(record: Record) -> str:
    """What README.md says: jobs a second of the scenarios that are compared with others."""
    rows = []
    for scenario in SCENARIOS:
        if (
            not any(isinstance(goal, Ratio) for goal in scenario.goals)
            or record.figure(scenario.key, TORIL) is None
        ):
            continue
        cells = [_rate(record, scenario, (key,)) for key in (TORIL, NODE)]
        rows.append([scenario.title, *cells, _rate(record, scenario, PYTHON_PEERS)])
    head = ("jobs/s", "toril", "Node BullMQ", "best Python peer")
    parts = [
        conditions(record),
        tables.table(head, rows) if rows else "",
        f"All goals: {verdicts(record)}. Each scenario and side: [docs/benchmarks.md](docs/benchmarks.md).",
        tables.table(tables.GOAL_HEAD, tables.goal_rows(record, SCENARIOS)),
    ]
    return "\n\n".join(part for part in parts if part)


def _rate(record: Record, scenario: Scenario, keys: Sequence[str]) -> str:
    """The best of some sides' medians."""
    rates: dict[str, float] = {}
    for key in keys:
        figure = record.figure(scenario.key, key)
        rate = figure.median(RATE) if figure else None
        if rate is not None:
            rates[key] = rate
    if not rates:
        return "-"
    best = max(rates, key=lambda key: rates[key])
    return number(rates[best]) if len(keys) == 1 else f"{number(rates[best])} ({BY_KEY[best].title})"


def write(record: Record, root: Path) -> None:
    """Write tables and pictures below `root`.

    Raises:
        NoMarkers: a file has no place for them.
    """
    for name, inner in (("docs/benchmarks.md", long_report(record)), ("README.md", short_report(record))):
        file = root / name
        file.write_text(between(file.read_text(), inner))
    folder = root / "docs" / "benchmarks"
    folder.mkdir(exist_ok=True)
    record.write(folder / RECORD)
    for old in folder.glob("*.svg"):
        old.unlink()
    for scenario in SCENARIOS:
        if rows := picture_rows(record, scenario):
            column = scenario.columns[0]
            text = draw(scenario.title, column.title, rows, less=column.less)
            (folder / f"{scenario.key}.svg").write_text(text)


def main() -> None:
    """Read, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("record", type=Path, help="the JSON file of a run")
    parser.add_argument("--root", type=Path, default=ROOT, help="where README.md and docs are")
    given = parser.parse_args()
    write(Record.read(given.record), given.root)


if __name__ == "__main__":
    main()
