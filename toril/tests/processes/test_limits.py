"""When a supervisor steps in; and that the guide knows all options."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from toril.health import ProcessReport, QueueReport
from toril.health.monitor import resident_memory
from toril.processes import Limits
from toril.processes.limits import MAX_PAUSE, pause_after

from .command import TORIL

GUIDE = Path(__file__).parents[3] / "docs" / "processes.md"


def test_limits_say_what_was_reached() -> None:
    queue = QueueReport(ready=True, stopping=False, silent_for=0.0, running=0, finished=20)
    report = ProcessReport(1, {"q": queue, "r": queue}, 0.0, 0.0, 300 << 20)
    assert Limits().exceeded(report) is None
    assert Limits(max_jobs=41, max_memory=300 << 20).exceeded(report) is None
    assert Limits(max_jobs=40).exceeded(report) == "has run 40 jobs"
    assert Limits(max_memory=299 << 20).exceeded(report) == "has 300 MiB of memory"


def test_memory_is_known_here() -> None:
    assert 1 << 20 < resident_memory() < 1 << 40


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause_after(crashes) for crashes in range(100)]
    assert pauses[:5] == [0.0, 0.25, 0.5, 1.0, 2.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE


@pytest.mark.parametrize("command", ["worker", "alive"])
def test_the_guide_knows_all_options(command: str) -> None:
    shown = subprocess.run(
        [*TORIL, command, "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"NO_COLOR": "1", "COLUMNS": "200", "PATH": "/usr/bin:/bin"},
    )
    options = set(re.findall(r"--[a-z-]+", shown.stdout)) - {"--help"}
    assert options <= set(re.findall(r"--[a-z-]+", GUIDE.read_text()))
