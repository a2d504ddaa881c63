"""Measures toril beside its peers: `python -m benchmarks [--quick] [--only KEY,…] [--sides KEY,…]`.

Runs are interleaved and rotated; every run is checked to have run each job exactly once. Prints a table
a scenario and the goals, met or missed, and writes all of it to a JSON file, from which
`python -m benchmarks.report FILE` makes the documentation's tables and pictures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from toril.embedded import binary

from . import places, tables
from .campaign import carry_out, turns
from .goals import Verdict
from .record import Record
from .scenarios import BY_KEY as SCENARIOS
from .scenarios.base import Scenario
from .sides import BY_KEY as SIDES
from .sides import Side
from .stage import Stage

WIDTH = 130
"""Columns where there is no terminal."""
OUT = Path(__file__).parent / "results"


class Bar:
    """A progress bar of all runs."""

    def __init__(self, console: Console, total: int) -> None:
        columns = (
            TextColumn("{task.description:42}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self.progress = Progress(*columns, console=console, transient=True)
        self._task = self.progress.add_task("", total=total)

    def begin(self, scenario: Scenario, side: Side) -> None:
        """Say what is being done."""
        self.tell(f"{scenario.title}: {side.title}")

    def tell(self, line: str) -> None:
        """Say so beside the bar."""
        self.progress.update(self._task, description=line)

    def end(self) -> None:
        """One run further."""
        self.progress.advance(self._task)


def show(console: Console, title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print one table."""
    shown = Table(title=title, title_justify="left")
    for number, name in enumerate(head):
        shown.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def server_version() -> str:
    """What the server says of itself."""
    words = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout.split()
    version = next((word[2:] for word in words if word.startswith("v=")), "of an unknown version")
    return f"{words[0]} {version}"


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer jobs and runs: minutes, and coarser")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, by key")
    parser.add_argument("--sides", default=",".join(SIDES), help="sides, by key")
    parser.add_argument("--runs", type=int, help="runs of each side, at the most")
    parser.add_argument("--out", type=Path, help="where the JSON file is written")
    parser.add_argument("--redo", type=Path, help="a record in which the chosen scenarios are measured again")
    parser.add_argument("--list", action="store_true", help="list the keys and end")
    given = parser.parse_args()
    for name, known in (("only", SCENARIOS), ("sides", SIDES)):
        if unknown := set(getattr(given, name).split(",")) - set(known):
            parser.error(f"--{name}: unknown {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    return given


def opened(given: argparse.Namespace) -> Record:
    """The record that is written: a new one, or an old one without what is measured again."""
    if given.redo is None:
        record = Record.begin("quick" if given.quick else "full")
        record.server = server_version()
        return record
    record = Record.read(given.redo)
    record.forget(given.only.split(","))
    return record


def limited(scenario: Scenario, runs: int | None) -> Scenario:
    """The scenario with no more runs than these."""
    if runs is None:
        return scenario
    quick, full = scenario.runs
    return replace(scenario, runs=(min(quick, runs), min(full, runs)))


def main() -> int:
    """Measure, print, write; the exit code tells whether toril has failed somewhere."""
    given = options()
    if given.list:
        print("\n".join([f"{key:22}{scenario.title}" for key, scenario in SCENARIOS.items()]))
        return 0
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    record = opened(given)
    chosen = [limited(SCENARIOS[key], given.runs) for key in SCENARIOS if key in given.only.split(",")]
    sides = [key for key in SIDES if key in given.sides.split(",")]
    quick = record.mode == "quick"
    out = given.out or given.redo or OUT / f"{record.mode}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    total = sum(len(turns(scenario, sides, quick)) for scenario in chosen)
    bar = Bar(console, total)
    with bar.progress, Stage(quick, bar.tell) as stage:
        for key in list(sides):
            bar.tell(f"installing {SIDES[key].title}")
            try:
                stage.command(SIDES[key])
                record.versions[key] = places.version(SIDES[key])
            except places.PlaceFailed as error:
                console.print(f"[red]{SIDES[key].title} cannot be measured: {error}", soft_wrap=True)
        carry_out(stage, record, chosen, sides, bar, lambda done: done.write(out))
    for scenario in chosen:
        if scenario.columns:
            rows = tables.side_rows(record, scenario)
            show(console, scenario.title, tables.side_head(scenario), rows)
    rows = tables.goal_rows(record, chosen)
    show(console, "goals", list(tables.GOAL_HEAD), rows)
    verdicts = [row[-1] for row in rows]
    counts = ", ".join(f"{verdicts.count(verdict.value)} {verdict.value}" for verdict in Verdict)
    console.print(
        f"{counts}; {record.mode} mode, {record.machine}, Python {record.python}, load {record.load:g};"
        f" written to {out}"
    )
    return any(figure.error and figure.side == "toril" for figure in record.figures)


if __name__ == "__main__":
    sys.exit(main())
