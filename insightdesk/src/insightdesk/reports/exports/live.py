"""How far an export is, told to the screens of whoever asked for it."""

from __future__ import annotations

from insightdesk.realtime.emitter import emit
from insightdesk.reports.exports.models import Export, ExportState

__all__ = ["tell"]

EVENT = "export"


async def tell(export: Export, state: ExportState, done: int = 0, total: int | None = None) -> None:
    """Sends the event `export` `{id, state, percent, rowsDone, rowsTotal}`. A screen that is away reads the
    same from `GET /api/reports/exports`."""
    if export.requested_by is None:
        return
    finished = state is ExportState.DONE
    percent = 100 if finished else min(99, 100 * done // total) if total else 0
    data = {"id": export.id, "state": state.value, "percent": percent, "rowsDone": done, "rowsTotal": total}
    await emit(export.requested_by, EVENT, data)
