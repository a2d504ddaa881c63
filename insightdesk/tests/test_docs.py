"""What the pages of docs/helpdesk say is held by a test is held by one that exists."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BRIEF = ROOT / "docs" / "brief.md"
PAGES = [BRIEF, *sorted((ROOT / "docs" / "helpdesk").glob("*.md"))]
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


def test_each_statement_of_the_brief_has_its_test_or_says_that_it_is_not_so() -> None:
    sections = BRIEF.read_text(encoding="utf-8").split("\n## ")[1:]
    rows = [
        [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| ---")][1:]
        for section in sections
    ]
    faults_of_the_brief = 30
    assert len(rows[1]) == faults_of_the_brief
    for row in chain(*rows):
        last = row.strip("| ").split(" | ")[-1]
        assert re.fullmatch(r"`test_\w+`(, `test_\w+`)*|not yet: .+", last), row


def test_the_security_page_has_a_row_for_each_attack() -> None:
    page = (ROOT / "docs" / "helpdesk" / "security.md").read_text(encoding="utf-8")
    rows = {row.split("|")[1].strip(): row for row in page.splitlines() if row.startswith("| A")}
    assert list(rows) == [f"A{number}" for number in range(1, 13)]
    for attack, row in rows.items():
        assert re.search(r"`(test_\w+|pip-audit)`", row), attack


def test_the_faults_page_has_a_row_for_each_fault() -> None:
    page = (ROOT / "docs" / "helpdesk" / "faults.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| H")]
    assert [row[0] for row in rows] == [f"H{number}" for number in range(1, 8)]
    for row in rows:
        assert re.fullmatch(r"`test_\w+`( `test_\w+`)*", row[-1]), row[0]
