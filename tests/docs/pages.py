"""Which pages there are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SITE = sorted((ROOT / "docs").rglob("*.md"))
BESIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    ROOT / distribution / "README.md" for distribution in ("toril", "insightdesk")
]
PAGES = [*BESIDE, *SITE]


def name_of(page: Path) -> str:
    """A page as people call it."""
    return str(page.relative_to(ROOT))
