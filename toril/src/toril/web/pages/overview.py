"""All queues."""

from __future__ import annotations

from starlette.responses import Response

from .. import live
from ..visit import Visit


async def show(visit: Visit) -> Response:
    """The overview."""
    watched = await visit.site.watch.all()
    return visit.render(
        "overview.html",
        rows=[(each.queue.name, live.row(each), each.survey) for each in watched],
        totals=live.totals(watched),
        spark=live.SPARK,
    )
