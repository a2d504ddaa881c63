"""Recording, reading, reviewing and replaying dead letters. An organization sees its own alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk import outbox
from insightdesk.accounts import service as accounts
from insightdesk.accounts.service import Principal
from insightdesk.database import new_id
from insightdesk.dead_letters import repository
from insightdesk.dead_letters.capture import Failure
from insightdesk.dead_letters.models import DeadLetter
from insightdesk.dead_letters.owners import organizations_of
from insightdesk.dead_letters.replaying import replay_job
from insightdesk.dead_letters.repository import Group, Wanted
from insightdesk.kit.errors import Conflict, NotFound
from insightdesk.kit.redaction import HIDDEN

__all__ = [
    "Group",
    "Plan",
    "Wanted",
    "erase_person",
    "get",
    "list_groups",
    "list_letters",
    "purge",
    "record",
    "replay",
    "replay_many",
    "resolve_many",
    "resolve_replayed",
    "review",
]

RETENTION = timedelta(days=90)
"""How long a letter is kept; failures that are older are not recorded either."""

RESOLVED_RETENTION = timedelta(days=30)
"""How long after its failure a resolved letter is kept."""

MOST_AT_ONCE = 10_000
"""Letters that one bulk replay takes."""

_CHUNK = 500


@dataclass(frozen=True)
class Plan:
    """What a bulk replay would do, or has done.

    Attributes:
        letters: how many are replayed.
        left: how many more could be, in a further replay.
        seconds: how long it takes until the last one is due.
    """

    letters: int
    left: int
    seconds: float


async def record(session: AsyncSession, failures: Sequence[Failure], now: datetime) -> list[DeadLetter]:
    """Store failures that are not stored yet; returns the letters made. Safe to call any number of times."""
    recent = {
        (each.queue, each.job_id, each.failed_at): each
        for each in failures
        if each.failed_at > now - RETENTION
    }
    if not recent:
        return []
    rows = {key: failure.values() for key, failure in recent.items()}
    stored = {key: (row["queue"], row["job_id"], row["failed_at"]) for key, row in rows.items()}
    there = await repository.known(session, stored.values())
    new = [key for key, stored_as in stored.items() if stored_as not in there]
    if not new:
        return []
    owners = await organizations_of(session, [recent[key].data for key in new])
    return list(
        await repository.store(
            session,
            [
                {"id": new_id(), "organization_id": owner, **rows[key]}
                for key, owner in zip(new, owners, strict=True)
            ],
        )
    )


async def list_letters(
    session: AsyncSession, wanted: Wanted, *, offset: int = 0, limit: int = 50
) -> tuple[Sequence[DeadLetter], int]:
    """A page of letters, the newest first, and how many there are in all."""
    return await repository.page(session, wanted, offset, limit), await repository.count(session, wanted)


async def list_groups(session: AsyncSession, wanted: Wanted, limit: int = 100) -> Sequence[Group]:
    """Letters by fingerprint, the one that failed last first."""
    return await repository.groups(session, wanted, limit)


async def get(session: AsyncSession, letter_id: str, organization_id: str | None) -> DeadLetter:
    """One letter with its stack trace.

    Raises:
        NotFound: there is none, or it is another organization's.
    """
    letter = await repository.get(session, letter_id, organization_id)
    if letter is None:
        raise NotFound("Job not found")
    return letter


async def review(
    session: AsyncSession,
    letter_id: str,
    actor: Principal,
    now: datetime,
    *,
    acknowledge: bool | None = None,
    resolve: bool | None = None,
    note: str | None = None,
) -> DeadLetter:
    """Acknowledge or resolve a letter, or take that back, or note something on it; None changes nothing.

    Raises:
        NotFound: there is none, or it is another organization's.
    """
    letter = await _locked(session, letter_id, actor.organization_id)
    done: dict[str, object] = {}
    if acknowledge is not None:
        letter.acknowledged_at = (letter.acknowledged_at or now) if acknowledge else None
        letter.acknowledged_by = actor.user_id if acknowledge else None
        done["acknowledged"] = acknowledge
    if resolve is not None:
        letter.resolved_at = (letter.resolved_at or now) if resolve else None
        letter.resolved_by = actor.user_id if resolve else None
        done["resolved"] = resolve
    if note is not None:
        letter.note = note or None
        done["noted"] = bool(note)
    accounts.audit(session, actor, "dead_letter.reviewed", "dead_letter", letter.id, **done)
    return letter


async def resolve_many(session: AsyncSession, wanted: Wanted, actor: Principal, now: datetime) -> int:
    """Resolve all letters of a fingerprint; returns how many were open."""
    resolved = await repository.resolve(session, wanted.conditions(), actor.user_id, now)
    accounts.audit(
        session,
        actor,
        "dead_letter.group_resolved",
        "dead_letter_group",
        wanted.fingerprint or "",
        letters=resolved,
    )
    return resolved


async def resolve_replayed(session: AsyncSession, letter_ids: Collection[str], now: datetime) -> int:
    """Resolve letters whose replay has completed."""
    return await repository.resolve(session, [DeadLetter.id.in_(letter_ids)], None, now)


async def replay(session: AsyncSession, letter_id: str, actor: Principal | None, now: datetime) -> DeadLetter:
    """Put a job into its original queue again, with its name, data and options. Once.

    Args:
        session: the job leaves with its transaction.
        letter_id: which.
        actor: who asks; None for the operator of the installation.
        now: the moment that is noted.

    Raises:
        NotFound: there is none, or it is another organization's.
        Conflict: it was replayed already, or its payload is gone.
    """
    letter = await _locked(session, letter_id, None if actor is None else actor.organization_id)
    if letter.retried_at is not None:
        raise Conflict(f"already retried at {letter.retried_at:%Y-%m-%d %H:%M:%S} UTC")
    await outbox.enqueue(session, letter.queue, _job(letter, 0.0))
    letter.retried_at = now
    letter.retried_by = None if actor is None else actor.user_id
    _audit_replay(session, actor, letter.organization_id, letter.id, letters=1, queue=letter.queue)
    return letter


async def replay_many(
    session: AsyncSession,
    wanted: Wanted,
    actor: Principal | None,
    now: datetime,
    *,
    per_minute: float,
    dry_run: bool,
) -> Plan:
    """Replay all letters of a kind, the oldest first and evenly paced; at the most 10,000 in one call.

    Those whose payload is gone are left out, and those that another call is just replaying.
    """
    pause = 60.0 / per_minute
    matching = await repository.count_replayable(session, wanted)
    if dry_run:
        most = min(matching, MOST_AT_ONCE)
        return Plan(most, matching - most, max(most - 1, 0) * pause)
    done = 0
    while letters := await repository.take_replayable(session, wanted, min(_CHUNK, MOST_AT_ONCE - done)):
        jobs: dict[str, list[toril.NewJob]] = {}
        for letter in letters:
            jobs.setdefault(letter.queue, []).append(_job(letter, done * pause))
            done += 1
            session.expunge(letter)  # payloads may be large
        for queue, batch in jobs.items():
            await outbox.enqueue(session, queue, *batch)
        ids = [letter.id for letter in letters]
        await repository.mark_retried(session, ids, None if actor is None else actor.user_id, now)
        if done >= MOST_AT_ONCE:
            break
    _audit_replay(
        session,
        actor,
        wanted.organization_id,
        wanted.fingerprint or "",
        letters=done,
        perMinute=per_minute,
    )
    return Plan(done, max(matching - done, 0), max(done - 1, 0) * pause)


async def purge(session: AsyncSession, now: datetime, limit: int = 1000) -> int:
    """Remove up to `limit` letters that are older than they are kept; returns how many."""
    return await repository.purge(
        session, failed_before=now - RETENTION, resolved_before=now - RESOLVED_RETENTION, limit=limit
    )


async def erase_person(session: AsyncSession, organization_id: str, user_id: str, email: str) -> int:
    """Take a person out of the organization's letters; returns how many were changed.

    A letter that names her keeps its kind, its moments and its counts; it cannot be replayed any more.
    """
    letters = await repository.mentioning(session, organization_id, [user_id, email])
    for letter in letters:
        letter.payload = None
        letter.data = dict.fromkeys(letter.data, HIDDEN)
        letter.error = HIDDEN
        letter.trace = ""
        letter.note = None
    return len(letters)


def _job(letter: DeadLetter, delay: float) -> toril.NewJob:
    if letter.payload is None:
        raise Conflict("its payload was erased, too large or unreadable, so it cannot be replayed")
    data: Any = json.loads(letter.payload)
    try:
        return replay_job(letter.id, letter.name, data, letter.options, delay)
    except toril.InvalidOption as error:
        raise Conflict(f"it cannot be replayed: {error}") from None


async def _locked(session: AsyncSession, letter_id: str, organization_id: str | None) -> DeadLetter:
    letter = await repository.get(session, letter_id, organization_id, for_update=True)
    if letter is None:
        raise NotFound("Job not found")
    return letter


def _audit_replay(
    session: AsyncSession,
    actor: Principal | None,
    organization_id: str | None,
    subject: str,
    **details: object,
) -> None:
    kind = "dead_letter_group" if "perMinute" in details else "dead_letter"
    if actor is not None:
        accounts.audit(session, actor, f"{kind}.replayed", kind, subject, **details)
    elif organization_id is not None:
        accounts.audit_operator(session, organization_id, f"{kind}.replayed", kind, subject, **details)
