"""Runs a lab: what only toril is asked."""

from __future__ import annotations

import sys

from ..record import Measures
from ..stage import Stage, result, spawn

TIMEOUT = 1200.0


def lab(stage: Stage, name: str, *arguments: str) -> Measures:
    """Run `benchmarks/labs/<name>.py` to its end.

    Raises:
        RunFailed: it failed.
    """
    mode = "quick" if stage.quick else "full"
    with spawn([sys.executable, "-m", f"benchmarks.labs.{name}", mode, *arguments]) as process:
        return result(process, TIMEOUT)
