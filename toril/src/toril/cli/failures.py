"""`toril failures`."""

from __future__ import annotations

from datetime import datetime

from ..inspection.failures import Failures, Group, gather_failures
from ..job import Json
from ..running import run
from .console import Printer, print_json
from .describing import ago
from .opening import opened
from .options import AsJson, NoColor, Prefix, QueueName, Url


def failures(
    queue: QueueName,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Gather failed jobs by kind: the same job, the same error, whatever numbers and names stand in its text.

    It looks at the newest 5,000. A kind's fingerprint is what `toril retry --fingerprint` takes.
    """
    found = run(_failures(queue, url, prefix))
    if as_json:
        print_json([_as_dict(group) for group in found.groups])
        return
    printer = Printer(no_color)
    if found.groups:
        rows = [
            (group.kind.fingerprint, f"{len(group.ids):,}", ago(group.last), group.kind.name, group.reason)
            for group in found.groups
        ]
        printer.table(["FINGERPRINT", "JOBS", "LAST", "NAME", "ERROR"], rows, ["JOBS"])
    if found.looked < found.total or not found.groups:
        printer.line(f"{found.looked:,} of {found.total:,} failed jobs were looked at", style="dim")


async def _failures(name: str, url: str | None, prefix: str) -> Failures:
    async with opened(name, url, prefix) as queue:
        return await gather_failures(queue)


def _as_dict(group: Group) -> dict[str, Json]:
    def iso(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat()

    return {
        "fingerprint": group.kind.fingerprint,
        "count": len(group.ids),
        "first": iso(group.first),
        "last": iso(group.last),
        "name": group.kind.name,
        "error": group.kind.error,
        "place": group.kind.place,
        "reason": group.reason,
        "ids": group.ids,
    }
