"""Makes a large desk on servers of its own and measures the helpdesk's jobs on it: a table.

`python -m benchmarks.desk`; the sizes are arguments, and `--data-dir` says where the servers keep their
files (some gigabytes).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, text

import toril
from insightdesk.database import close_database, sqlalchemy_url
from insightdesk.embedded import postgres
from insightdesk.migrations import migrate
from insightdesk.settings import get_settings

from . import generate
from .generate import Sizes

T = TypeVar("T")

_GOAL = 1.5
_STEP = 1_000_000  # messages a transaction


@dataclass
class Results:
    """Rows of the table, printed as they come."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str) -> None:
        """One more row."""
        self.rows.append((what, figure))
        print(f"{time.strftime('%H:%M:%S')}  {what}: {figure}", flush=True)

    def table(self) -> str:
        """All of it as Markdown."""
        return "\n".join(["| what | measured |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in self.rows)])


def main() -> None:
    """Parse the arguments, start the servers, measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk", description=__doc__)
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--few", type=int, default=10_000, help="open tickets at the first scan")
    parser.add_argument("--tickets", type=int, default=1_000_000, help="open tickets at the second scan")
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--exported", type=int, default=1_000_000, help="rows of the export")
    parser.add_argument("--due", type=int, default=500, help="clocks that a scan finds due")
    parser.add_argument("--closed", type=int, default=100_000, help="tickets that auto-close closes")
    parser.add_argument("--data-dir", type=Path, help="where the servers keep their files")
    given = parser.parse_args()
    sizes = Sizes(given.organizations, given.few, given.tickets, given.messages, given.exported)
    results = Results()
    if given.data_dir is not None:
        given.data_dir.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="large-desk-", dir=given.data_dir) as folder,
        toril.embedded() as valkey_url,
        postgres(Path(folder) / "postgres") as database_url,
    ):
        os.environ.update(
            INSIGHTDESK_VALKEY_URL=valkey_url,
            INSIGHTDESK_DATABASE_URL=database_url,
            INSIGHTDESK_STORAGE_URL=f"file://{folder}/files",
            TORIL_URL=valkey_url,
        )
        get_settings.cache_clear()
        migrate(database_url)
        _measure(create_engine(sqlalchemy_url(database_url)), sizes, given.due, given.closed, results)
    print("\n" + results.table())


def _measure(engine: Engine, sizes: Sizes, due: int, closed: int, results: Results) -> None:
    from . import measures  # its modules take the servers' addresses as they are imported

    def make(what: str, work: Callable[[Connection], None]) -> None:
        started = time.perf_counter()
        with engine.begin() as connection:
            work(connection)
        results.add(f"making {what}", f"{time.perf_counter() - started:.0f} s")

    make(f"{sizes.organizations:,} organizations", lambda c: generate.organizations(c, sizes))
    make(f"{sizes.few:,} open tickets", lambda c: generate.open_tickets(c, sizes, 1, sizes.few))
    _analyze(engine)
    few, queries = _run(measures.sla_scan(due))
    results.add(f"SLA scan, {due} due, {sizes.few:,} open", f"{few:.2f} s, {queries} queries")
    make(
        f"{sizes.tickets - sizes.few:,} more",
        lambda c: generate.open_tickets(c, sizes, sizes.few + 1, sizes.tickets),
    )
    _analyze(engine)
    many, queries = _run(measures.sla_scan(due))
    results.add(f"SLA scan, {due} due, {sizes.tickets:,} open", f"{many:.2f} s, {queries} queries")
    verdict = "met" if many / few <= _GOAL else "missed"
    results.add(f"the same, of one with few (goal: at most {_GOAL}x)", f"{many / few:.2f}x: {verdict}")
    make(
        f"{sizes.exported:,} closed tickets of one organization", lambda c: generate.closed_tickets(c, sizes)
    )

    def write_messages(connection: Connection) -> None:
        for first in range(1, sizes.messages + 1, _STEP):
            generate.messages(connection, sizes, first, min(first + _STEP - 1, sizes.messages))

    make(f"{sizes.messages:,} messages", write_messages)
    _analyze(engine)
    with engine.connect() as connection:
        size = connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
    results.add("size of the database", f"{size / 1e9:.1f} GB")
    seconds, each, jobs = _run(measures.digests(sizes.organizations))
    results.add(
        f"daily digest of {sizes.organizations:,} organizations",
        f"{seconds:.1f} s, {jobs:,} jobs, {each:.1f} queries a job",
    )
    seconds, queries = _run(measures.auto_close(closed))
    results.add(f"auto-close of {closed:,}", f"{seconds:.1f} s, {queries:,} queries")
    for format in ("csv", "xlsx", "pdf"):
        for status in ("open", "closed"):
            cost = _export(format, status)
            results.add(
                f"export of {cost['rows']:,} tickets as {format.upper()}",
                f"{cost['seconds']:.1f} s, {cost['bytes'] / 1e6:.1f} MB, peak RSS {cost['peak']:.0f} MB "
                f"({cost['before']:.0f} MB before), {cost['queries']} queries",
            )


def _run(work: Coroutine[object, object, T]) -> T:
    async def closing() -> T:
        try:
            return await work
        finally:
            await close_database()

    return asyncio.run(closing())


def _export(format: str, status: str) -> dict[str, float]:
    command = [sys.executable, "-m", f"{__package__}.export", format, status]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    cost: dict[str, float] = json.loads(done.stdout)
    return cost


def _analyze(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


if __name__ == "__main__":
    main()
