"""Does what a key asks for."""

from __future__ import annotations

from ...errors import TorilError
from ...inspection.lines import counted
from ...queue import Queue
from .view import Action

REASON = "from toril top"


async def do(queue: Queue, action: Action) -> str:
    """Do it, and say what was done or why not."""
    try:
        return await _do(queue, action)
    except TorilError as error:
        return str(error)


async def _do(queue: Queue, action: Action) -> str:
    job_id = action.job_id
    match action.doing:
        case "pause":
            await queue.pause()
            return f"{queue.name} is paused"
        case "resume":
            await queue.resume()
            return f"{queue.name} goes on"
        case "retry-all":
            moved = await queue.retry_jobs(limit=action.count)
            return f"retried {counted(moved, 'job', 'jobs')} of {queue.name}"
        case "retry":
            await queue.retry(job_id)
            return f"retried job {job_id}"
        case "promote":
            await queue.promote(job_id)
            return f"job {job_id} may run now"
        case "cancel":
            await queue.cancel(job_id, REASON)
            return f"cancelled job {job_id}"
        case "remove":
            await queue.remove(job_id)
            return f"removed job {job_id}"
