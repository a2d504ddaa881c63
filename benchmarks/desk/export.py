"""One export in a process of its own: `python -m benchmarks.desk.export csv closed` tells its cost."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from insightdesk.accounts.models import User
from insightdesk.database import close_database, database, transaction
from insightdesk.kit import clock
from insightdesk.reports.exports import exporting, making
from insightdesk.reports.exports.models import ExportFormat, ReportType
from insightdesk.reports.exports.schemas import ExportFilters, ExportInput
from insightdesk.reports.storage import storage

from .generate import BIG
from .measures import counted

_AGENT = "user-1-1"


async def export(format: ExportFormat, status: str) -> dict[str, float]:
    """Make the export as the job does."""
    wanted = ExportInput(
        report_type=ReportType.TICKETS,
        format=format,
        filters=ExportFilters.model_validate({"status": status}),
    )
    async with transaction() as session:
        if await session.get(User, _AGENT) is None:
            raise RuntimeError("the desk is not there")
        order = exporting.Order(f"bench-{time.time_ns()}", BIG, _AGENT, wanted)
        work = await exporting.begin(session, order, clock.now())
    if work is None:
        raise RuntimeError("the export was made before")

    async def report(done: int, total: int) -> None:
        return

    before = _peak()
    async with counted() as found:
        started = time.perf_counter()
        rows, size = await making.make(database(), storage(), work, clock.now(), report, None)
        seconds = time.perf_counter() - started
    await close_database()
    return {"rows": rows, "bytes": size, "seconds": seconds, "before": before, "peak": _peak(),
            "queries": found.queries}  # fmt: skip


def _peak() -> float:
    """The most memory that this process has had, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = [line for line in lines if line.startswith("VmHWM")]
    return (
        int(found[0].split()[1]) / 1024
        if found
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(export(ExportFormat(sys.argv[1]), sys.argv[2]))))
