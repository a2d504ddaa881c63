"""Failed jobs by kind."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from ...inspection.failures import LOOKED, SECONDS, Group, gather_failures
from .. import words
from ..redaction import Place
from ..visit import Visit, encoded


@dataclass(frozen=True, slots=True)
class Shown:
    """A kind of failure as it is shown, with a query that finds its jobs."""

    queue: str
    group: Group
    reason: str
    ids: str
    newest: list[str]


@dataclass(frozen=True, slots=True)
class Looked:
    """How many failed jobs of a queue were looked at."""

    queue: str
    looked: int
    total: int


async def show(visit: Visit) -> Response:
    """The kinds of failure of one queue, or of all."""
    wanted = visit.asked("queue")
    names = [(await visit.queue(wanted)).name] if wanted else await visit.site.registry.names()
    seconds = SECONDS / max(1, len(names))
    shown: list[Shown] = []
    looked: list[Looked] = []
    for name in names:
        failures = await gather_failures(visit.site.registry.queue(name), seconds)
        if failures.total:
            looked.append(Looked(name, failures.looked, failures.total))
        shown += [_shown(visit, name, group) for group in failures.groups]
    shown.sort(key=lambda each: -len(each.group.ids))
    return visit.render(
        "failures.html",
        wanted=wanted,
        names=await visit.site.registry.names(),
        groups=shown[:200],
        more=len(shown) - 200,
        cut=[each for each in looked if each.looked < each.total],
    )


def _shown(visit: Visit, queue: str, group: Group) -> Shown:
    place = Place(queue, group.kind.name, "error")
    reason = words.cut(str(visit.site.redact(group.reason, place)), 400)
    return Shown(queue, group, reason, encoded(group.ids[:LOOKED]), group.ids[:3])
