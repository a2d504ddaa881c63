"""What the pages of docs/helpdesk say is held by a test is held by one that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "helpdesk").glob("*.md"))
TESTS = {
    name
    for folder in ("insightdesk/tests", "toril/tests")
    for file in (ROOT / folder).rglob("*.py")
    for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))
    assert named, "a page ends in a table of statements and their tests"
    assert named <= TESTS


def test_the_security_page_has_a_row_for_each_attack() -> None:
    page = (ROOT / "docs" / "helpdesk" / "security.md").read_text(encoding="utf-8")
    rows = {row.split("|")[1].strip(): row for row in page.splitlines() if row.startswith("| A")}
    assert list(rows) == [f"A{number}" for number in range(1, 13)]
    for attack, row in rows.items():
        assert re.search(r"`(test_\w+|pip-audit)`|nothing is exported yet", row), attack
