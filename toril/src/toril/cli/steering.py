"""`toril retry`, `promote`, `remove`, `cancel`: one job, some, or all of a state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from ..errors import InvalidOption
from ..inspection.lines import counted
from ..job import JobState, Json
from ..queue import Queue
from ..running import run
from .confirming import be_sure
from .console import Printer, print_json, progress
from .opening import opened
from .options import AsJson, NoColor, Prefix, QueueName, Url
from .selecting import Filter, Name, Search, failed_alike, find
from .states import Ended, Listed
from .telling import NotDone
from .verbs import Result, Verb, cancelling, do_to_ids, do_to_state, promoting, removing, retrying

PAGE = 10_000
"""How many ids one call reads."""
SHOWN = 10
"""How many jobs a dry run names."""

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of jobs.")]
All = Annotated[bool, typer.Option("--all", help="All jobs of the state.")]
Limit = Annotated[int | None, typer.Option("--limit", "-n", min=1, help="The oldest so many of them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Count = Annotated[
    int | None, typer.Option("--count", min=0, help="Do it without asking if it is just so many jobs.")
]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which jobs are meant.

    Attributes:
        ids: These; if none, those of the state.
        limit: The oldest so many of the state; None for all.
        wanted: What those of the state must be.
        fingerprint: Of which kind their failure must be; None for any.
    """

    ids: Sequence[str]
    state: JobState
    limit: int | None
    wanted: Filter
    fingerprint: str | None = None

    @classmethod
    def of(
        cls,
        ids: Sequence[str] | None,
        whole: bool,
        state: JobState,
        limit: int | None,
        name: str | None,
        search: str | None,
        fingerprint: str | None = None,
    ) -> Choice:
        """Check that jobs were chosen in one way. Raises InvalidOption."""
        wanted = Filter.of(name, search)
        some = bool(wanted) or fingerprint is not None
        if ids and (whole or some or limit is not None):
            raise InvalidOption("either ids, or --all, --name and the like")
        if not ids and not whole and not some:
            raise InvalidOption("which jobs? Give ids, or --all, --name and the like")
        if fingerprint is not None and (wanted or state is not JobState.FAILED):
            raise InvalidOption("--fingerprint goes with no --name, --search or other state than failed")
        return cls(tuple(dict.fromkeys(ids or ())), state, limit, wanted, fingerprint)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command goes about it: whether it asks, and how it tells."""

    dry_run: bool
    yes: bool
    count: int | None
    as_json: bool
    no_color: bool


def retry(
    queue: QueueName,
    ids: Ids = None,
    whole: All = False,
    state: Annotated[Ended, typer.Option("--state", "-s", help="With --all: whose jobs.")] = Ended.FAILED,
    name: Name = None,
    search: Search = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Only failures of this kind; `toril failures` lists them."),
    ] = None,
    limit: Limit = None,
    keep_attempts: Annotated[
        bool, typer.Option("--keep-attempts", help="Do not give them all their attempts again.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    count: Count = None,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Let failed or completed jobs run again.

    Before it does so to more than the ids given, it asks for their number.
    """
    choice = Choice.of(ids, whole, JobState(state), limit, name, search, fingerprint)
    manner = Manner(dry_run, yes, count, as_json, no_color)
    _steer(retrying(not keep_attempts), queue, choice, manner, url, prefix)


def promote(
    queue: QueueName,
    ids: Ids = None,
    whole: All = False,
    name: Name = None,
    search: Search = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    count: Count = None,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Let delayed jobs run now."""
    choice = Choice.of(ids, whole, JobState.DELAYED, limit, name, search)
    _steer(promoting(), queue, choice, Manner(dry_run, yes, count, as_json, no_color), url, prefix)


def remove(
    queue: QueueName,
    ids: Ids = None,
    whole: All = False,
    state: Annotated[
        Listed, typer.Option("--state", "-s", help="With --all: whose jobs, but waiting-children.")
    ] = Listed.COMPLETED,
    name: Name = None,
    search: Search = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    count: Count = None,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Remove jobs and their children, but not what runs, nor the next jobs of schedulers."""
    choice = Choice.of(ids, whole, JobState(state), limit, name, search)
    _steer(removing(), queue, choice, Manner(dry_run, yes, count, as_json, no_color), url, prefix)


def cancel(
    queue: QueueName,
    ids: Ids = None,
    whole: All = False,
    state: Annotated[
        Listed, typer.Option("--state", "-s", help="With --all: whose jobs, but ended ones.")
    ] = Listed.WAITING,
    name: Name = None,
    search: Search = None,
    limit: Limit = None,
    reason: Annotated[str, typer.Option(help="What their failure says.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    count: Count = None,
    url: Url = None,
    prefix: Prefix = "bull",
    as_json: AsJson = False,
    no_color: NoColor = False,
) -> None:
    """Let jobs fail as cancelled: now if they wait, by their workers if they run."""
    choice = Choice.of(ids, whole, JobState(state), limit, name, search)
    _steer(cancelling(reason), queue, choice, Manner(dry_run, yes, count, as_json, no_color), url, prefix)


def _steer(verb: Verb, name: str, choice: Choice, manner: Manner, url: str | None, prefix: str) -> None:
    chosen, result = run(_done(verb, name, choice, manner, url, prefix))
    if manner.as_json:
        print_json(_as_dict(verb, name, chosen, result))
    else:
        _tell(Printer(manner.no_color), verb, name, chosen, result)
    if result is not None and result.refused:
        why = next(iter(result.refused.values()))
        others = len(result.refused) - 1
        raise NotDone(why + (f", and {counted(others, 'other', 'others')} refused" if others else ""))


async def _done(
    verb: Verb, name: str, choice: Choice, manner: Manner, url: str | None, prefix: str
) -> tuple[int | list[str], Result | None]:
    """Choose the jobs, ask, and do it; returns the jobs or their number, and no result of a dry run."""
    async with opened(name, url, prefix) as queue:
        chosen = list(choice.ids) or await _chosen(queue, verb, choice, manner)
        number = chosen if isinstance(chosen, int) else len(chosen)
        if manner.dry_run:
            return chosen, None
        if not choice.ids:
            jobs = counted(number, f"{choice.state} job", f"{choice.state} jobs")
            be_sure(f"{verb.name} {jobs} of queue {name}", number, manner.yes, manner.count)
        with progress(number, verb.name, manner.no_color) as step:
            if isinstance(chosen, int):
                return chosen, await do_to_state(queue, verb, choice.state, chosen, step)
            return chosen, await do_to_ids(queue, verb, chosen, step)


async def _chosen(queue: Queue, verb: Verb, choice: Choice, manner: Manner) -> int | list[str]:
    """The jobs of a state that are meant; their number, where all are and the server finds them."""
    if choice.fingerprint is not None:
        return await failed_alike(queue, choice.fingerprint, choice.limit)
    total = (await queue.get_job_counts())[choice.state]
    if choice.wanted:
        with progress(total, "looking", manner.no_color) as step:
            found = await find(
                queue, choice.state, choice.wanted, limit=choice.limit, look=total, ascending=True, step=step
            )
        return list(dict.fromkeys(job.id for job in found.jobs))
    if verb.whole is not None:
        return min(total, choice.limit or total)
    return await _ids_of(queue, choice.state, choice.limit)


async def _ids_of(queue: Queue, state: JobState, limit: int | None) -> list[str]:
    """The ids of the oldest jobs of a state."""
    ids: list[str] = []
    while limit is None or len(ids) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(ids))
        page = await queue.get_job_ids(state, len(ids), len(ids) + size - 1, ascending=True)
        ids += page
        if len(page) < size:
            break
    return list(dict.fromkeys(ids))


def _as_dict(verb: Verb, name: str, chosen: int | list[str], result: Result | None) -> dict[str, Json]:
    found: dict[str, Json] = {
        "verb": verb.name,
        "queue": name,
        "dryRun": result is None,
        "chosen": chosen if isinstance(chosen, int) else len(chosen),
        "done": 0 if result is None else result.done,
        "refused": {} if result is None else result.refused,
    }
    return found if isinstance(chosen, int) else found | {"ids": chosen}


def _tell(printer: Printer, verb: Verb, name: str, chosen: int | list[str], result: Result | None) -> None:
    if result is not None:
        if result.done or not result.refused:
            printer.line(f"{verb.done} {counted(result.done, 'job', 'jobs')} of queue {name}")
        return
    number = chosen if isinstance(chosen, int) else len(chosen)
    named = "" if isinstance(chosen, int) else f": {', '.join(chosen[:SHOWN])}"
    more = ", …" if not isinstance(chosen, int) and number > SHOWN else ""
    printer.line(f"would {verb.name} {counted(number, 'job', 'jobs')} of queue {name}{named}{more}")
