"""The examples of docs/telemetry.md run, each in an interpreter of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .metric_names import families

GUIDE = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text()
EXAMPLES = re.findall(r"^## (.+?)\n.*?```python\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[title for title, _ in EXAMPLES])
def test_an_example_runs(code: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_table_of_metrics_is_whole() -> None:
    told = re.findall(r"^\| `(toril_[a-z_]+)` \|", GUIDE, re.MULTILINE)
    assert sorted(name.removesuffix("_total") for name in told) == sorted(families())
