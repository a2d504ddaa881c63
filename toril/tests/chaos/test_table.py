"""docs/faults.md has a row for each fault, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "faults.md").read_text().splitlines()
    if line.startswith("| ") and "`test_" in line
]
TESTS = {
    name
    for path in (ROOT / "toril" / "tests").rglob("test_*.py")
    for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


def test_each_fault_has_its_row() -> None:
    assert [cells[0] for cells in ROWS if len(cells) == 4] == [f"E{number}" for number in range(1, 27)]


def test_each_named_test_is_there() -> None:
    named = {name for cells in ROWS for name in re.findall(r"`([^`]+)`", cells[-1])}
    assert named
    assert named <= TESTS, named - TESTS
