"""A database of the story's own: its clock is not that of the other tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import migrated_database

# Tests are imported by path, so what they share is put on the path here.
sys.path.insert(0, str(Path(__file__).parent))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A few seeds by default, more by `DAY_SEEDS=N`: a failure names the seed that plays it again."""
    if "day_seed" in metafunc.fixturenames:
        metafunc.parametrize("day_seed", range(int(os.environ.get("DAY_SEEDS", "1"))))


@pytest.fixture
def own_database_url(postgres_url: str) -> Iterator[str]:
    """A migrated database, which is gone afterwards."""
    with migrated_database(postgres_url) as url:
        yield url
