"""README's "A first job in 60 seconds", word for word, from an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from environments import ROOT

LIMIT = 60.0
"""Seconds from an empty folder to the job's result, without the time that downloads take."""
EXTRAS = "cli,embedded"


def section() -> str:
    text = (ROOT / "README.md").read_text()
    found = re.search(r"^## A first job in 60 seconds\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture
def downloads(wheels: dict[str, Path], tmp_path: Path) -> Path:
    """All that the line with `pip install` asks for, so that what is measured is no network's speed."""
    folder = tmp_path / "downloads"
    begun = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder),
            *("--constraint", ROOT / "requirements.lock", f"{wheels['toril']}[{EXTRAS}]"),
        ],
        check=True,
    )
    print(f"downloads: {time.monotonic() - begun:.1f} s")
    return folder


def test_a_first_job_in_60_seconds(
    downloads: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    """The commands are README's own; pip is only told where the files are, by its environment."""
    (before, after), ((program, code),), (printed,) = (
        re.findall(r"^```bash\n(.*?)^```", section(), re.DOTALL | re.MULTILINE),
        re.findall(r"^```python\n# (\S+)\n(.*?)^```", section(), re.DOTALL | re.MULTILINE),
        re.findall(r"^```text\n(.*?)^```", section(), re.DOTALL | re.MULTILINE),
    )
    assert f"toril[{EXTRAS}]" in before
    empty = tmp_path / "empty"
    empty.mkdir()
    # The tests' Python without their virtual environment.
    env = {"PATH": f"{Path(sys.base_prefix) / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(downloads), "PIP_CONFIG_FILE": os.devnull}
    begun = time.monotonic()
    script = f"set -eu\n{before}\ncat > {program} <<'END'\n{code}\nEND\n{after}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=empty, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"\n{printed}")
    record_property("seconds", round(seconds, 1))
    with capsys.disabled():
        print(f"\na first job in {seconds:.1f} s, downloads left out")
    assert seconds < LIMIT
