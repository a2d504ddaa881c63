"""Why is this job not running?"""

from __future__ import annotations

import asyncio

from ..errors import ServerRefused
from ..options import valid_text
from ..queue import Queue
from ..storage.explaining import read_facts
from .explanation import Explanation
from .judging import judge


async def explain(queue: Queue, job_id: str) -> Explanation:
    """Tell why a job runs or does not run.

    One script call reads the job, its queue and the cards of its workers at one instant, and what it looks
    through is bounded; beside it goes CLIENT LIST, for the workers that tell nothing of themselves. Where the
    server refuses that, less is said of workers.

    Args:
        queue: The job's queue.
        job_id: Its id; there need not be such a job.

    Raises:
        InvalidOption: the id is empty.
    """
    valid_text(job_id, "job_id")
    store = queue.store
    facts, connected = await asyncio.gather(
        read_facts(store.connection, store.keys, job_id, queue.prefix), _connected(queue)
    )
    return judge(queue.name, job_id, facts, connected)


async def _connected(queue: Queue) -> list[str | None] | None:
    """The names of the connected workers; None where the server does not tell, as some managed ones."""
    try:
        return [worker.name for worker in await queue.workers()]
    except ServerRefused:
        return None
