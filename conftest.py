"""Both packages are imported before pytest names the test modules.

In `importlib` mode it names them after their folders, and a folder `insightdesk` at the root would
otherwise stand in for the package of that name.
"""

from __future__ import annotations

import pytest

import insightdesk  # noqa: F401
import toril  # noqa: F401


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that some tests are scaled by."""
    group = parser.getgroup("toril")
    group.addoption("--mixed-jobs", type=int, default=10_000, help="jobs of the mixed run with Node")
    group.addoption("--mixed-seed", type=int, default=6, help="seed of the mixed run with Node")
