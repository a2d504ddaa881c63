"""`toril explain`."""

from __future__ import annotations

from ..inspection import Explanation, explain
from ..running import run
from .console import Printer, print_json
from .opening import opened
from .options import AsJson, JobId, NoColor, Prefix, QueueName, Url
from .telling import NotDone


def explain_job(
    queue: QueueName,
    job_id: JobId,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Tell why a job is not running: paused, limited, behind others, unknown to all workers, …

    What can be done about it stands behind `>`. Exit code 1 if there is no such job.
    """
    found = run(_explain(queue, job_id, url, prefix))
    if as_json:
        print_json(found.as_dict())
    else:
        printer = Printer(no_color)
        for number, line in enumerate(str(found).splitlines()):
            printer.line(line, style="bold" if number == 0 else "green" if line.startswith("  >") else "")
    if found.state is None:
        raise NotDone(f"there is no job {job_id} in queue {queue}")


async def _explain(name: str, job_id: str, url: str | None, prefix: str) -> Explanation:
    async with opened(name, url, prefix) as queue:
        return await explain(queue, job_id)
