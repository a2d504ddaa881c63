"""The names of all metrics, as they stand in the code that makes them."""

from __future__ import annotations

import re
from pathlib import Path

import toril.telemetry.prometheus


def families() -> set[str]:
    """The families' names, counters without `_total`."""
    folder = Path(toril.telemetry.prometheus.__file__).parent
    return {
        name for path in folder.glob("*.py") for name in re.findall(r'"(toril_[a-z_]+)"', path.read_text())
    }
