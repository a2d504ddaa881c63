"""What one run of the benchmarks has measured: the JSON file from which tables and pictures are made."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import msgspec

Measures = dict[str, float]
"""What one run of one side has measured, by name."""

RATE = "rate"
SERVER = "server_us"
CLIENT = "client_us"


class Figure(msgspec.Struct):
    """One side in one scenario: each measure's values, one a run.

    Attributes:
        scenario: The scenario's key.
        side: The side's key.
        measures: Values by the measure's name.
        error: Why there are none, or not all; empty if all is well.
    """

    scenario: str
    side: str
    measures: dict[str, list[float]] = msgspec.field(default_factory=dict)
    error: str = ""

    def median(self, measure: str) -> float | None:
        """The median of a measure, or None if it was not taken."""
        values = self.measures.get(measure)
        return statistics.median(values) if values else None

    def span(self, measure: str) -> tuple[float, float]:
        """The least and the greatest value of a measure that was taken."""
        values = self.measures[measure]
        return min(values), max(values)


class Record(msgspec.Struct):
    """One run of the benchmarks.

    Attributes:
        mode: quick or full.
        at: When it began, UTC.
        machine: Cores, memory, system.
        python: The version of toril's Python.
        load: The machine's load average when it began: what others were doing there.
        server: The Valkey's name and version.
        versions: Those of the sides, by key.
        figures: What was measured.
        redone: Scenarios that were measured again later, by themselves, since something had disturbed them.
    """

    mode: str
    at: str
    machine: str
    python: str
    load: float
    server: str = ""
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    figures: list[Figure] = msgspec.field(default_factory=list)
    redone: list[str] = msgspec.field(default_factory=list)

    @classmethod
    def begin(cls, mode: str) -> Record:
        """A record of this machine, with nothing measured."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(mode, at, machine, platform.python_version(), round(os.getloadavg()[0], 2))

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a file that `write` has written.

        Raises:
            OSError: it cannot be read.
            msgspec.DecodeError: it is none of ours.
        """
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def write(self, path: Path) -> None:
        """Write the file; the old one stays whole until then."""
        draft = path.with_suffix(".part")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        draft.replace(path)

    def forget(self, scenarios: Collection[str]) -> None:
        """Forget what was measured of these scenarios: they are measured again."""
        self.figures = [figure for figure in self.figures if figure.scenario not in scenarios]
        self.redone = sorted({*self.redone, *scenarios})

    def figure(self, scenario: str, side: str) -> Figure | None:
        """What was measured of a side, or None."""
        return next((f for f in self.figures if (f.scenario, f.side) == (scenario, side)), None)

    def add(self, scenario: str, side: str, measures: Measures) -> None:
        """Add one run."""
        figure = self._figure(scenario, side)
        for name, value in measures.items():
            figure.measures.setdefault(name, []).append(value)

    def fail(self, scenario: str, side: str, error: str) -> None:
        """Tell that a run has failed."""
        self._figure(scenario, side).error = error

    def _figure(self, scenario: str, side: str) -> Figure:
        found = self.figure(scenario, side)
        if found is None:
            found = Figure(scenario, side)
            self.figures.append(found)
        return found
