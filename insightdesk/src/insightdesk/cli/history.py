"""What happened at the demo organization before it began, so that what takes days can be seen at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk import outbox
from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.email.jobs import send_email
from insightdesk.reports.digest.jobs import daily_digest
from insightdesk.reports.exports.jobs import export_report
from insightdesk.tickets import service as tickets
from insightdesk.tickets.auto_close.jobs import auto_close_scan
from insightdesk.tickets.models import Priority, TicketStatus
from insightdesk.tickets.schemas import TicketInput, TicketPatch

__all__ = ["NEWCOMER", "UNKNOWN_TEMPLATE", "tell_history"]

UNKNOWN_TEMPLATE = "christmas-card"
"""What a producer asks for in vain: its job is a dead letter, and so is its replay."""

NEWCOMER = "nina@demo.example"
"""Who has asked for an export before she was made an agent: its replay succeeds once she is one."""

_SOLVED = (
    ("Two-factor codes arrive too late", timedelta(days=5, hours=12)),  # its customer is warned
    ("The invoice of May is missing", timedelta(days=8)),  # closes by itself
    ("How do I invite a colleague?", timedelta(days=1)),  # is told in the digest
)

# Nobody has answered these: the first for so long that it escalates, the second almost too long.
_WAITING = (
    ("The printer on the third floor smokes", Priority.NORMAL, timedelta(minutes=4)),
    ("May I have a second monitor?", Priority.LOW, timedelta(minutes=2.3)),
)


async def tell_history(session: AsyncSession, agent: Principal, customer: Principal, now: datetime) -> None:
    """Write the history of a new organization, and enqueue what follows from it.

    Old tickets close, with a warning; one that nobody answers escalates, and another is warned of; there is
    yesterday's digest, a job that cannot succeed, and one that will once its requester is staff.
    """
    for subject, ago in _SOLVED:
        wanted = TicketInput(subject=subject, body="Please have a look at this.")
        ticket = await tickets.create_ticket(session, customer, wanted, now - ago)
        patch = TicketPatch(status=TicketStatus.RESOLVED, assignee_id=agent.user_id)
        await tickets.update_ticket(session, agent, ticket.id, patch, now - ago)
    for subject, priority, ago in _WAITING:
        wanted = TicketInput(subject=subject, body="Please have a look at this.", priority=priority)
        ticket = await tickets.create_ticket(session, customer, wanted, now - ago)
        await tickets.update_ticket(
            session, agent, ticket.id, TicketPatch(assignee_id=agent.user_id), now - ago
        )
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
    newcomer = await accounts.create_user(
        session, organization_id, NEWCOMER, "Nina New", Role.CUSTOMER, welcome=False
    )
    export = export_report.new_job(
        organization_id=organization_id, report_type="tickets", filters={}, requested_by=newcomer.id
    )
    await outbox.enqueue(session, export_report.queue, export)
