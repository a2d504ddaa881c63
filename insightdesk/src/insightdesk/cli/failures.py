"""`insightdesk jobs …` and `insightdesk dead-letters …`: the operator's view, over all organizations."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from insightdesk.cli.listing import AsJson, iso, print_json, print_table

if TYPE_CHECKING:
    from insightdesk.dead_letters.models import DeadLetter

__all__ = ["dead_letters_app", "jobs_app"]

T = TypeVar("T")

jobs_app = typer.Typer(help="Background jobs: counts, failures, retries.", no_args_is_help=True)
dead_letters_app = typer.Typer(help="Jobs that failed for good, by kind.", no_args_is_help=True)


@jobs_app.command(epilog="Example: insightdesk jobs stats --json")
def stats(as_json: AsJson = False) -> None:
    """Count the jobs of each queue."""
    from insightdesk.admin.health import queue_stats

    counts = _run(queue_stats())
    if as_json:
        print_json(counts)
        return
    states = ("waiting", "prioritized", "active", "delayed", "completed", "failed")
    rows = [(queue, *(str(found[state]) for state in states)) for queue, found in counts.items()]
    print_table(("queue", *states), rows)


@jobs_app.command(epilog="Example: insightdesk jobs failed --queue email --limit 20")
def failed(
    queue: Annotated[str | None, typer.Option(help="Of this queue alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at the most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs that failed for good, the newest first."""
    from insightdesk.database import transaction
    from insightdesk.dead_letters import service

    async def look() -> tuple[Sequence[DeadLetter], int]:
        async with transaction() as session:
            return await service.list_letters(session, service.Wanted(None, queue), limit=limit)

    letters, total = _run(look())
    if as_json:
        print_json([_letter(letter) for letter in letters])
        return
    rows = [
        (
            letter.id,
            f"{letter.failed_at:%Y-%m-%d %H:%M:%S}",
            _state(letter),
            f"{letter.queue}/{letter.name}",
            letter.error,
        )
        for letter in letters
    ]
    print_table(("id", "failed", "state", "job", "error"), rows)
    print(f"{len(letters)} of {total}")


def _state(letter: DeadLetter) -> str:
    return "retried" if letter.retried_at else "resolved" if letter.resolved_at else "open"


def _letter(letter: DeadLetter) -> dict[str, str | None]:
    return {
        "id": letter.id,
        "queue": letter.queue,
        "jobId": letter.job_id,
        "name": letter.name,
        "failedAt": iso(letter.failed_at),
        "state": _state(letter),
        "error": letter.error,
        "fingerprint": letter.fingerprint,
    }


@jobs_app.command(epilog="Example: insightdesk jobs retry 01J9ZV")
def retry(letter_id: Annotated[str, typer.Argument(help="The id that `jobs failed` prints.")]) -> None:
    """Put a failed job into its own queue again, as it was; once."""
    from insightdesk.database import transaction
    from insightdesk.dead_letters import service
    from insightdesk.kit import clock

    async def run() -> str:
        async with transaction() as session:
            return (await service.replay(session, letter_id, None, clock.now())).queue

    print(f"re-enqueued in {_run(run())}")


@dead_letters_app.command("list", epilog="Example: insightdesk dead-letters list --json")
def list_groups(as_json: AsJson = False) -> None:
    """List the kinds of failure, the one that happened last first."""
    from insightdesk.database import transaction
    from insightdesk.dead_letters import service

    async def look() -> Sequence[service.Group]:
        async with transaction() as session:
            return await service.list_groups(session, service.Wanted(None))

    groups = _run(look())
    if as_json:
        print_json(
            [
                {
                    "fingerprint": group.fingerprint,
                    "open": group.open,
                    "total": group.total,
                    "lastAt": iso(group.last_at),
                    "queue": group.queue,
                    "name": group.name,
                    "error": group.error,
                }
                for group in groups
            ]
        )
        return
    rows = [
        (
            group.fingerprint,
            str(group.open),
            str(group.total),
            f"{group.last_at:%Y-%m-%d %H:%M}",
            f"{group.queue}/{group.name}",
            group.error,
        )
        for group in groups
    ]
    print_table(("fingerprint", "open", "total", "last", "job", "error"), rows)


@dead_letters_app.command(epilog="Example: insightdesk dead-letters replay 5f3c9a --per-minute 30 --yes")
def replay(
    fingerprint: Annotated[str, typer.Argument(help="The kind, as `dead-letters list` prints it.")],
    per_minute: Annotated[float, typer.Option(min=1, max=6000, help="How many a minute.")] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only told.")] = False,
) -> None:
    """Replay all open failures of a kind, evenly paced."""
    from insightdesk.database import transaction
    from insightdesk.dead_letters import service
    from insightdesk.kit import clock

    async def run() -> service.Plan:
        async with transaction() as session:
            return await service.replay_many(
                session,
                service.Wanted(None, fingerprint=fingerprint),
                None,
                clock.now(),
                per_minute=per_minute,
                dry_run=not yes,
            )

    plan = _run(run())
    print(
        f"{'replayed' if yes else 'would replay'} {plan.letters} jobs within {plan.seconds:.0f} s"
        + (f"; {plan.left} more are left" if plan.left else "")
        + ("" if yes else "; --yes does it")
    )


def _run(work: Coroutine[object, object, T]) -> T:
    from insightdesk.database import close_database
    from insightdesk.jobs import app

    async def run() -> T:
        try:
            return await work
        finally:
            await app.close()
            await close_database()

    return asyncio.run(run())
