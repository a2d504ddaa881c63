"""The live streams."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from ..streams import MOST
from ..visit import NotThere, Visit


async def stream(visit: Visit) -> Response:
    """What changes on the overview, of a queue, or of a job."""
    streams = visit.site.streams
    if streams.readers >= MOST:
        return PlainTextResponse("Too many look at once.", 503, headers={"retry-after": "30"})
    queue, job = visit.asked("queue"), visit.asked("job")
    if queue and await visit.site.registry.find(queue) is None:
        raise NotThere(f"There is no queue {queue!r}.")
    topic = "overview" if not queue else f"queue\0{queue}" if not job else f"job\0{queue}\0{job}"
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(streams.stream(topic), media_type="text/event-stream", headers=headers)
