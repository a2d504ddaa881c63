"""Every example of every page runs; see CONTRIBUTING.md, "Examples in documents"."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from page import blocks
from pages import PAGES, name_of


def run(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, Path(__file__).with_name("page.py"), page],
        cwd=folder,
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TORIL_", "INSIGHTDESK_"))
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    if any(block.is_run for block in blocks(page.read_text(encoding="utf-8"))):
        done = run(page, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


FENCE = "`" * 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{FENCE}python\nassert 1 + 1 == 3\n{FENCE}\n", "broken.md:2"),
        (f"{FENCE}python\nawait nobody()\n{FENCE}\n", "nobody"),
        (f"{FENCE}bash\nfalse\n{FENCE}\n", "ended with code 1"),
        (
            f"{FENCE}python\nprint(1)\n{FENCE}\n<!-- snippet: output -->\n{FENCE}text\n2\n{FENCE}\n",
            "the page says that it prints",
        ),
        ("<!-- snippet: python\nraise SystemExit('unseen')\n-->\n", "unseen"),
    ],
)
def test_an_example_that_does_not_do_what_it_says_fails(text: str, told: str, tmp_path: Path) -> None:
    page = tmp_path / "broken.md"
    page.write_text(text)
    done = run(page, tmp_path)
    assert done.returncode != 0
    assert told in done.stderr
