"""`insightdesk erase`."""

from __future__ import annotations

from insightdesk.accounts import service as accounts
from insightdesk.cli.problems import Problem
from insightdesk.database import close_database, database, transaction
from insightdesk.jobs import app
from insightdesk.kit import clock
from insightdesk.retention import erasure

__all__ = ["erase_person"]


async def erase_person(email: str, slug: str) -> str:
    """Erase a person from the database and from the queues; returns what to tell.

    Raises:
        Problem: There is no such organization, or nobody of that address in it.
    """
    try:
        async with transaction() as session:
            organization = await accounts.find_organization(session, slug)
            if organization is None:
                raise Problem(f"there is no organization {slug!r}")
            user = await accounts.find_user_by_email(session, organization.id, email)
            if user is None:
                raise Problem(f"nobody in {slug!r} has the address {email!r}")
            receipt = await erasure.erase(session, organization.id, user.id, clock.now(), actor=None)
        left = await erasure.clear_queues(database(), app, receipt.id, clock.now())
        async with transaction() as session:
            receipt = await erasure.receipt(session, organization.id, receipt.id)
        lines = [f"receipt {receipt.id}"]
        lines += [f"  {kind}: {count}" for kind, count in sorted(receipt.records.items()) if count]
        if left:
            lines.append(f"  {left} jobs that name the person are being run; a worker clears them away")
        return "\n".join(lines)
    finally:
        await app.close()
        await close_database()
