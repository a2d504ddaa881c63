"""Making an export's file: read by a cursor, written beside, put into the storage as a stream."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from insightdesk.database import Database
from insightdesk.reports.exports.contents import Content, content_of
from insightdesk.reports.exports.exporting import Work
from insightdesk.reports.exports.formats import open_writer
from insightdesk.reports.exports.table import Heading
from insightdesk.reports.storage import Storage

Report = Callable[[int, int], Awaitable[None]]
"""Is told how many rows are done, and how many there are."""

_REPORT_EVERY = 0.5  # seconds between two reports


async def make(
    database: Database, storage: Storage, work: Work, now: datetime, report: Report, font: Path | None
) -> tuple[int, int]:
    """Write the file and store it.

    The file grows in a folder of its own, which goes away whatever happens; only a whole one is uploaded.

    Returns:
        How many rows it has, and how many bytes.

    Raises:
        StorageError: The storage did not take it.
        OSError: This machine's disk did not.
    """
    export = work.export
    with tempfile.TemporaryDirectory(prefix="insightdesk-export-") as folder:
        path = Path(folder) / f"report.{export.format.value}"
        rows = await _write(database, content_of(work.scope), work, path, now, report, font)
        stored = await storage.put(
            export.storage_key, path, content_type=export.format.content_type, name=export.file_name
        )
    return rows, stored.size


async def _write(
    database: Database,
    content: Content,
    work: Work,
    path: Path,
    now: datetime,
    report: Report,
    font: Path | None,
) -> int:
    # Writers block: they run in threads, so that the worker's other jobs go on.
    writer = await asyncio.to_thread(
        open_writer,
        work.export.format,
        path,
        _heading(content, work, now),
        content.columns,
        content.charts,
        byte_order_mark=work.export.byte_order_mark,
        font=font,
    )
    done, told = 0, time.monotonic()
    try:
        # The count and the rows are of the same moment.
        async with database.snapshot() as session:
            total = await content.count(session)
            await report(0, total)
            async for rows in content.rows(session):
                await asyncio.to_thread(writer.write, rows)
                done += len(rows)
                if time.monotonic() - told >= _REPORT_EVERY:
                    await report(done, total)
                    told = time.monotonic()
        await asyncio.to_thread(writer.close)
    except BaseException:
        writer.abandon()
        raise
    return done


def _heading(content: Content, work: Work, now: datetime) -> Heading:
    filters = work.scope.filters
    first, last = str(filters.from_day or content.begins), str(filters.to_day or "now")
    facts = [("Period", f"{first} to {last}")]
    if filters.status:
        facts.append(("Status", ", ".join(filters.status)))
    if filters.priority:
        facts.append(("Priority", ", ".join(filters.priority)))
    if work.assignee:
        facts.append(("Assignee", work.assignee))
    facts.append(("For", work.requester.name))
    return Heading(
        title=content.title,
        organization=work.scope.organization_name,
        zone=work.scope.zone.key,
        made_at=now.astimezone(work.scope.zone),
        facts=tuple(facts),
    )
