"""A database of the story's own: its clock is not that of the other tests."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from insightdesk.migrations import migrate

# Tests are imported by path, so what they share is put on the path here.
sys.path.insert(0, str(Path(__file__).parent))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A few seeds by default, more by `DAY_SEEDS=N`: a failure names the seed that plays it again."""
    if "day_seed" in metafunc.fixturenames:
        metafunc.parametrize("day_seed", range(int(os.environ.get("DAY_SEEDS", "1"))))


@pytest.fixture
def own_database_url(postgres_url: str) -> Iterator[str]:
    """A migrated database, which is gone afterwards."""
    name = f"day_{uuid.uuid4().hex[:12]}"
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
        migrate(url)
        yield url
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()
