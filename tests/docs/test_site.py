"""The site is built with every link and anchor checked, and asks nothing of other sites."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from pages import ROOT, SITE

LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//[^>]*>|<link\b[^>]*>", re.IGNORECASE
)
OUTSIDE = re.compile(r"href=\"?(?:https?:)?//", re.IGNORECASE)


def test_the_site_is_whole_and_a_reader_s_browser_asks_no_other_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file() for page in SITE)
    _asks_no_other_site(tmp_path)
    reference = (tmp_path / "reference" / "queue.html").read_text(encoding="utf-8")
    assert 'id="toril.Queue.add"' in reference
    assert "Calls made in one turn of the event loop travel together" in reference


def _asks_no_other_site(site: Path) -> None:
    for page in site.rglob("*.html"):
        for tag in LOADED.findall(page.read_text(encoding="utf-8")):
            assert tag.startswith("<link"), f"{page.name}: {tag}"
            assert not OUTSIDE.search(tag), f"{page.name}: {tag}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name
