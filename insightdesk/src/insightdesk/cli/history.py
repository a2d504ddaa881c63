"""What happened at the demo organization before it began, so that what takes days can be seen at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.accounts.service import Principal
from insightdesk.email.jobs import send_email
from insightdesk.reports.digest.jobs import daily_digest
from insightdesk.tickets import service as tickets
from insightdesk.tickets.auto_close.jobs import auto_close_scan
from insightdesk.tickets.models import TicketStatus
from insightdesk.tickets.schemas import TicketInput, TicketPatch
from toril import outbox

__all__ = ["UNKNOWN_TEMPLATE", "tell_history"]

UNKNOWN_TEMPLATE = "christmas-card"
"""What a producer asks for in vain: its job is the demo's dead letter."""

_SOLVED = (
    ("Two-factor codes arrive too late", timedelta(days=5, hours=12)),  # its customer is warned
    ("The invoice of May is missing", timedelta(days=8)),  # closes by itself
    ("How do I invite a colleague?", timedelta(days=1)),  # is told in the digest
)


async def tell_history(session: AsyncSession, agent: Principal, customer: Principal, now: datetime) -> None:
    """Write the history of a new organization, and enqueue what follows from it: the closing of old tickets
    with its warning, yesterday's digest, and a job that cannot succeed."""
    for subject, ago in _SOLVED:
        wanted = TicketInput(subject=subject, body="Please have a look at this.")
        ticket = await tickets.create_ticket(session, customer, wanted, now - ago)
        patch = TicketPatch(status=TicketStatus.RESOLVED, assignee_id=agent.user_id)
        await tickets.update_ticket(session, agent, ticket.id, patch, now - ago)
    organization_id = agent.organization_id
    digest = daily_digest.new_job(organization_id=organization_id, date=(now - timedelta(days=1)).date())
    await outbox.enqueue(session, daily_digest.queue, digest)
    await outbox.enqueue(session, auto_close_scan.queue, auto_close_scan.new_job())
    card = send_email.new_job(
        to=customer.email,
        subject="Season's greetings",
        template=UNKNOWN_TEMPLATE,
        data={},
        organization_id=organization_id,
    )
    await outbox.enqueue(session, send_email.queue, card)
