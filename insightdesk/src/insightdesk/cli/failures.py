"""`insightdesk jobs …` and `insightdesk dead-letters …`: the operator's view, over all organizations."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, TypeVar

import typer

__all__ = ["dead_letters_app", "jobs_app"]

T = TypeVar("T")

jobs_app = typer.Typer(help="Background jobs: counts, failures, retries.", no_args_is_help=True)
dead_letters_app = typer.Typer(help="Jobs that failed for good, by kind.", no_args_is_help=True)


@jobs_app.command()
def stats() -> None:
    """Count the jobs of each queue."""
    from insightdesk.admin.health import queue_stats

    counts = _run(queue_stats())
    states = ("waiting", "prioritized", "active", "delayed", "completed", "failed")
    print(f"{'queue':<15}" + "".join(f"{state:>13}" for state in states))
    for queue, found in counts.items():
        print(f"{queue:<15}" + "".join(f"{found[state]:>13}" for state in states))


@jobs_app.command()
def failed(
    queue: Annotated[str | None, typer.Option(help="Of this queue alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """List jobs that failed for good, the newest first."""
    from insightdesk.cli.watch import printable
    from insightdesk.database import transaction
    from insightdesk.dead_letters import service

    async def look() -> None:
        async with transaction() as session:
            letters, total = await service.list_letters(session, service.Wanted(None, queue), limit=limit)
        for letter in letters:
            state = "retried" if letter.retried_at else "resolved" if letter.resolved_at else "open"
            print(
                f"{letter.id}  {letter.failed_at:%Y-%m-%d %H:%M:%S}  {state:<8}  "
                f"{printable(f'{letter.queue}/{letter.name}: {letter.error}')}"
            )
        print(f"{len(letters)} of {total}")

    _run(look())


@jobs_app.command()
def retry(letter_id: Annotated[str, typer.Argument(help="The id that `jobs failed` prints.")]) -> None:
    """Put a failed job into its own queue again, as it was; once."""
    from insightdesk.database import transaction
    from insightdesk.dead_letters import service
    from insightdesk.kit import clock

    async def run() -> str:
        async with transaction() as session:
            return (await service.replay(session, letter_id, None, clock.now())).queue

    print(f"re-enqueued in {_run(run())}")


@dead_letters_app.command("list")
def list_groups() -> None:
    """List the kinds of failure, the one that happened last first."""
    from insightdesk.cli.watch import printable
    from insightdesk.database import transaction
    from insightdesk.dead_letters import service

    async def look() -> None:
        async with transaction() as session:
            for group in await service.list_groups(session, service.Wanted(None)):
                print(
                    f"{group.fingerprint}  {group.open:>6} open of {group.total:<6}  "
                    f"{group.last_at:%Y-%m-%d %H:%M}  "
                    f"{printable(f'{group.queue}/{group.name}: {group.error}')}"
                )

    _run(look())


@dead_letters_app.command()
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
