"""An export needs no more memory for many rows than for few: each is made in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.desk import generate
from databases import migrated_database
from sqlalchemy import create_engine

from insightdesk.database import sqlalchemy_url

ROOT = Path(__file__).parents[3]
FEW, MANY = 3_000, 30_000

MORE = 12.0
"""Megabytes that a batch more or less may make; all rows at once would be some seventy."""


@pytest.fixture(scope="module")
def desk_url(postgres_url: str) -> Iterator[str]:
    """A database with an organization that has few open and many closed tickets."""
    sizes = generate.Sizes(organizations=1, few=FEW, tickets=FEW, messages=0, exported=MANY)
    with migrated_database(postgres_url) as url:
        engine = create_engine(sqlalchemy_url(url))
        with engine.begin() as connection:
            generate.organizations(connection, sizes)
            generate.open_tickets(connection, sizes, 1, FEW)
            generate.closed_tickets(connection, sizes)
        engine.dispose()
        yield url


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_many_rows_take_no_more_memory_than_few(desk_url: str, tmp_path: Path, format: str) -> None:
    def cost(status: str) -> dict[str, float]:
        settings = {"INSIGHTDESK_DATABASE_URL": desk_url, "INSIGHTDESK_STORAGE_URL": f"file://{tmp_path}"}
        made = subprocess.run(
            [sys.executable, "-m", "benchmarks.desk.export", format, status],
            cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        found: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
        return found

    few, many = cost("open"), cost("closed")
    assert (few["rows"], many["rows"]) == (FEW, MANY)
    assert many["queries"] == few["queries"]
    assert many["peak"] - few["peak"] < MORE
