"""The project itself: names and lock."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import ModuleType

import toril

ROOT = Path(__file__).parents[2]


def test_public_names_are_sorted_and_nothing_else_is_public() -> None:
    assert list(toril.__all__) == sorted(toril.__all__)
    public = {
        name for name, value in vars(toril).items() if name[0] != "_" and not isinstance(value, ModuleType)
    }
    assert public == set(toril.__all__)


def test_the_lock_s_input_is_what_the_distributions_need() -> None:
    wanted: set[str] = set()
    for name in ("toril", "insightdesk"):
        project = tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]
        wanted.update(project["dependencies"])
        for extra in project.get("optional-dependencies", {}).values():
            wanted.update(extra)
    lines = (ROOT / "requirements-project.in").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} == {
        each for each in wanted if not each.startswith("toril[")
    }


def test_the_lock_names_no_place_of_download() -> None:
    assert not re.search(r"https?://|file:|--find-links|--index", (ROOT / "requirements.lock").read_text())
