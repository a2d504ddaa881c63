"""The site is built with every link and anchor checked, and asks nothing of other sites."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, SITE

LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//[^>]*>|<link\b[^>]*>", re.IGNORECASE
)
OUTSIDE = re.compile(r"href=\"?(?:https?:)?//", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_it_is_built_without_a_warning_and_has_every_page(site: Path) -> None:
    assert all((site / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file() for page in SITE)


def test_a_reader_s_browser_asks_no_other_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        for tag in LOADED.findall(page.read_text(encoding="utf-8")):
            assert tag.startswith("<link"), f"{page.name}: {tag}"
            assert not OUTSIDE.search(tag), f"{page.name}: {tag}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_the_reference_is_made_from_docstrings(site: Path) -> None:
    text = (site / "reference" / "queue.html").read_text(encoding="utf-8")
    assert 'id="toril.Queue.add"' in text
    assert "Calls made in one turn of the event loop travel together" in text
