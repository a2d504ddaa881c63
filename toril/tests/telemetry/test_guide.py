"""docs/telemetry.md tells of every metric. Its examples are run with those of the other pages."""

from __future__ import annotations

import re
from pathlib import Path

from .metric_names import families

GUIDE = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text()


def test_the_table_of_metrics_is_whole() -> None:
    told = re.findall(r"^\| `(toril_[a-z_]+)` \|", GUIDE, re.MULTILINE)
    assert sorted(name.removesuffix("_total") for name in told) == sorted(families())
