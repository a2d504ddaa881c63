"""The project itself: names, lock, README."""

from __future__ import annotations

import re
import subprocess
import sys
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


def test_the_readme_s_first_job_runs(tmp_path: Path) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    script = tmp_path / "first.py"
    script.write_text(snippet)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "Welcome, Ann!\n"), done.stderr
