"""docs/explain.md: each kind of reason is told there, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from toril import ReasonKind

DOCS = Path(__file__).parents[3] / "docs" / "explain.md"


def test_each_kind_of_reason_is_documented() -> None:
    rows = re.findall(r"^\| (`.*?) \|", DOCS.read_text(), re.MULTILINE)
    assert sorted(kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row)) == sorted(ReasonKind)
