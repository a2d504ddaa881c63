"""Workers, and what each runs now."""

from __future__ import annotations

from starlette.responses import Response

from ...inspection.running import workers_of
from ..visit import Visit


async def show(visit: Visit) -> Response:
    """The workers of one queue, or of all."""
    wanted = visit.asked("queue")
    names = [(await visit.queue(wanted)).name] if wanted else await visit.site.registry.names()
    found = [(name, state) for name in names for state in await workers_of(visit.site.registry.queue(name))]
    return visit.render(
        "workers.html",
        wanted=wanted,
        names=await visit.site.registry.names(),
        rows=sorted(found, key=lambda row: (row[1].host, row[1].process or 0, row[0])),
        processes=len({(state.host, state.process) for _, state in found if state.process is not None}),
        running=sum(len(state.jobs) for _, state in found),
    )
