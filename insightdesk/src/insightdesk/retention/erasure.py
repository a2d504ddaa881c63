"""Erasing a person: from every table in one transaction, then from the queues by a job, with a receipt.

The user's row stays, without name, address and password, because tickets of others refer to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk import outbox
from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.database import Database
from insightdesk.dead_letters import service as dead_letters
from insightdesk.email import quotes
from insightdesk.email import service as email
from insightdesk.kit.errors import Invalid, NotFound
from insightdesk.queues import QUEUES
from insightdesk.realtime import service as realtime
from insightdesk.recovery.service import LIMIT, stage_lost
from insightdesk.reports.exports import service as exports
from insightdesk.retention import archive, queues, repository, sweep
from insightdesk.retention.models import ErasureReceipt
from insightdesk.retention.person import Person
from insightdesk.sla import escalation
from insightdesk.tickets import erasure as tickets

_QUEUE = "cleanup"

_SHORTEST_NAME = 3
"""Characters of a name that is looked for in texts; a shorter one is in too many that do not mean her."""

_FEATURES = {
    "tickets": tickets.erase_person,
    "archived tickets": archive.erase_person,
    "mails": email.erase_person,
    "mails that quote": quotes.erase_person,
    "notifications": realtime.erase_person,
    "dead letters": dead_letters.erase_person,
    "exports": exports.erase_person,
    "escalation": escalation.erase_person,
    # Last: it takes name and address off the row by which the others may look.
    "account": accounts.erase_person,
}


async def erase(
    session: AsyncSession, organization_id: str, user_id: str, now: datetime, *, actor: Principal | None
) -> ErasureReceipt:
    """Erase a person from the database, and stage the job that does so in the queues.

    Args:
        actor: who asked for it; None for the command line.

    Raises:
        NotFound: The organization has no such person.
        Invalid: It is the actor, or the organization's last administrator.
    """
    user = await accounts.lock_person(session, organization_id, user_id)
    if user is None:
        raise NotFound("there is no such person in this organization")
    if actor is not None and actor.user_id == user_id:
        raise Invalid("userId: nobody erases himself")
    admins = await accounts.ids_with_role(session, organization_id, Role.ADMIN)
    if admins == {user_id}:
        raise Invalid("userId: this is the organization's last administrator")
    shared = await accounts.is_name_shared(session, organization_id, user_id, user.name)
    searched = not shared and len(user.name.strip()) >= _SHORTEST_NAME
    person = Person(organization_id, user_id, user.email, user.name if searched else "")
    records = Counter(
        {
            kind: await erased(session, organization_id, user_id, user.email)
            for kind, erased in _FEATURES.items()
        }
    )
    records["other texts"] = await sweep.tables(session, person)
    records["jobs"] = await sweep.outbox(session, person)
    receipt = ErasureReceipt(
        organization_id=organization_id,
        user_id=user_id,
        requested_by=actor.user_id if actor else None,
        requested_at=now,
        records=dict(records),
        wanted={"email": person.email, "name": person.name},
    )
    session.add(receipt)
    await session.flush()
    if actor is None:
        accounts.audit_operator(
            session, organization_id, "person.erased", "user", user_id, receipt=receipt.id
        )
    else:
        accounts.audit(session, actor, "person.erased", "user", user_id, receipt=receipt.id)
    await outbox.enqueue(session, _QUEUE, _job(receipt.id))
    return receipt


def _job(receipt_id: str) -> toril.NewJob:
    from insightdesk.retention.jobs import erase_jobs  # its module's handlers call us

    return erase_jobs.options(job_id=f"erase-{receipt_id}").new_job(receipt_id=receipt_id)


async def recover(database: Database, now: datetime) -> int:
    """Stage the jobs of receipts that are not complete and have none any more; returns how many."""
    async with database.transaction() as session:
        receipts = await repository.incomplete(session, now - LIMIT)
    return await stage_lost(database, _QUEUE, [_job(each) for each in receipts])


async def clear_queues(database: Database, app: toril.Toril, receipt_id: str, now: datetime) -> int:
    """Take the person of a receipt out of all queues, and out of what running jobs have written since.

    Returns:
        How many jobs that name her are still being run. None: the receipt is complete, and what was looked
        for is forgotten.
    """
    async with database.transaction() as session:
        receipt = await session.get(ErasureReceipt, receipt_id)
        if receipt is None or receipt.wanted is None:
            return 0
        person = Person(receipt.organization_id, receipt.user_id, **receipt.wanted)
    cleared = [await queues.clear(app.queue(spec.name), person) for spec in QUEUES]
    left = sum(part.left for part in cleared)
    async with database.transaction() as session:
        receipt = await session.get_one(ErasureReceipt, receipt_id, with_for_update=True)
        records = Counter(receipt.records)
        records["jobs"] += sum(part.changed for part in cleared) + await sweep.outbox(session, person)
        records["other texts"] += await sweep.tables(session, person)
        receipt.records = dict(records)
        if not left:
            receipt.wanted = None
            receipt.completed_at = now
    return left


async def receipts(session: AsyncSession, organization_id: str, limit: int) -> Sequence[ErasureReceipt]:
    """The organization's latest receipts."""
    return await repository.receipts(session, organization_id, limit)


async def receipt(session: AsyncSession, organization_id: str, receipt_id: str) -> ErasureReceipt:
    """One receipt of the organization.

    Raises:
        NotFound: There is none of this id.
    """
    found = await repository.receipt(session, organization_id, receipt_id)
    if found is None:
        raise NotFound("there is no such receipt")
    return found
