"""A desk that has been lived in: something to see on every page, some of it long or hostile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta

from desks import Desk

from insightdesk.accounts import people, teams, tokens
from insightdesk.accounts import service as accounts
from insightdesk.accounts.models import Role, Scope
from insightdesk.accounts.schemas import UserPatch
from insightdesk.database import database, new_id, transaction
from insightdesk.dead_letters import service as dead_letters
from insightdesk.dead_letters.capture import Failure
from insightdesk.email import preferences, previews, suppressions
from insightdesk.email.models import Delivery, DeliveryState, SuppressionReason
from insightdesk.jobs import app
from insightdesk.kit import clock
from insightdesk.realtime.models import Notification
from insightdesk.reports.exports.models import Export, ExportFormat, ExportState, ReportType
from insightdesk.retention import erasure
from insightdesk.retention.models import ArchivedTicket
from insightdesk.sla import calendars, escalation, policies
from insightdesk.sla.calendar import Opening
from insightdesk.sla.calendars import Calendar
from insightdesk.sla.escalation import Step
from insightdesk.sla.models import EscalationAction
from insightdesk.sla.policies import Policy, Target
from insightdesk.sla.scan import scan
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Priority, TicketStatus, Visibility
from insightdesk.tickets.schemas import MessageInput, TicketInput, TicketPatch

HOSTILE = "<script>alert(1)</script>{{ 7*7 }} & \u202eright to left\u202c"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
_SUBJECTS = (
    ("Cannot sign in since this morning", Priority.URGENT),
    ("Invoice shows the wrong address", Priority.NORMAL),
    (HOSTILE, Priority.HIGH),
    (LONG, Priority.LOW),
    ("Where do I change my password?", Priority.LOW),
)


@dataclass(frozen=True)
class Places:
    """Ids of what is worth looking at."""

    ticket: str
    mail: str
    policy: str
    calendar: str
    team: str
    person: str
    archived: str
    receipt: str
    kind: str
    job: str


async def live_in(desk: Desk) -> Places:
    """Fill the desk."""
    team, person = await _people(desk)
    policy, calendar = await _promises(desk, team, person)
    ticket = await _tickets(desk, team)
    mail = await _mails(desk, ticket)
    await _exports(desk)
    archived, receipt = await _past(desk)
    kind, job = await _failures(desk), await _job(desk)
    return Places(ticket, mail, policy, calendar, team, person, archived, receipt, kind, job)


async def _people(desk: Desk) -> tuple[str, str]:
    now = clock.now()
    async with transaction() as session:
        colleague = await accounts.create_user(
            session, desk.organization_id, f"{new_id()}@a-rather-long-domain-name.example",
            "Anneliese Freifrau von Hohenstein-Wittelsbach", Role.AGENT, welcome=False,
        )  # fmt: skip
        gone = await accounts.create_user(
            session, desk.organization_id, f"{new_id()}@gone.example", HOSTILE, Role.CUSTOMER, welcome=False
        )
        await people.update_user(session, desk.admin, gone.id, UserPatch(active=False), now)
        team = await teams.create_team(
            session, desk.organization_id, "Second level", {desk.agent.user_id, colleague.id}
        )
        await teams.create_team(session, desk.organization_id, LONG[:120], set())
        await tokens.issue_own(
            session, desk.admin, now=now, name="Warehouse import", lifetime=timedelta(days=90),
            scope=Scope.WRITE,
        )  # fmt: skip
        await preferences.set_quiet_hours(
            session, desk.organization_id, desk.admin.user_id, (time(22), time(7), "Europe/Berlin")
        )
    return team.id, colleague.id


async def _promises(desk: Desk, team: str, person: str) -> tuple[str, str]:
    weekdays = [Opening(day, 9 * 60, 17 * 60) for day in range(5)]
    policy = new_id()
    async with transaction() as session:
        calendar = await calendars.create_calendar(
            session, desk.organization_id,
            Calendar("Office hours", "Europe/Berlin", weekdays, "DE", "BY", [clock.now().date()]),
        )  # fmt: skip
        targets = [Target(priority, 60, 120, 480) for priority in (Priority.HIGH, Priority.URGENT)]
        wanted = Policy(policy, "Second level", team, targets, calendar)
        await policies.create_policy(session, desk.organization_id, wanted)
        await escalation.set_steps(
            session, desk.organization_id,
            [
                Step(0, EscalationAction.TELL_TEAM, team_id=team),
                Step(30, EscalationAction.RAISE_PRIORITY),
                Step(120, EscalationAction.REASSIGN, user_id=person),
            ],
        )  # fmt: skip
    return policy, calendar


async def _tickets(desk: Desk, team: str) -> str:
    now = clock.now()
    opened = []
    async with transaction() as session:
        for place, (subject, priority) in enumerate(_SUBJECTS):
            wanted = TicketInput(
                subject=subject, body=f"Please help: {subject}", priority=priority,
                customer_id=desk.customer.user_id, assignee_id=desk.agent.user_id if place % 2 else None,
            )  # fmt: skip
            at = now - timedelta(minutes=7 * place + 5)
            opened.append(await tickets.create_ticket(session, desk.admin, wanted, at))
        first = opened[1]
        for actor, body, visibility in (
            (desk.agent, "We are looking into it.", Visibility.PUBLIC),
            (desk.agent, f"Note to us: {LONG}", Visibility.INTERNAL),
            (desk.customer, f"Thanks! {HOSTILE}", Visibility.PUBLIC),
        ):
            said = MessageInput(body=body, visibility=visibility)
            await tickets.add_message(session, actor, first.id, said, now)
        first.tags = ["billing", "no-auto-close", "vip"]
        opened[3].tags = ["billing"]
        await tickets.update_ticket(
            session, desk.agent, opened[4].id, TicketPatch(status=TicketStatus.PENDING), now
        )
        await tickets.update_ticket(session, desk.agent, opened[3].id, TicketPatch(team_id=team), now)
        session.add_all(
            Notification(
                organization_id=desk.organization_id, user_id=desk.admin.user_id, ticket_id=ticket.id,
                action="message_added", created_at=now, read_at=now if place else None,
            )
            for place, ticket in enumerate(opened)
        )  # fmt: skip
    await scan(database(), now)
    return first.id


async def _mails(desk: Desk, ticket: str) -> str:
    now = clock.now()
    mail = previews.preview("new_message")
    rows = [
        Delivery(
            organization_id=desk.organization_id, recipient=desk.customer.email, template="new_message",
            subject=mail.subject if place else LONG, html=mail.html, text=mail.text, state=state,
            idempotency_key=new_id(), message_id=new_id(), provider="local", ticket_id=ticket, attempts=1,
            error="the mailbox is full" if state is DeliveryState.REFUSED else None, created_at=now,
        )
        for place, state in enumerate(DeliveryState)
    ]  # fmt: skip
    async with transaction() as session:
        session.add_all(rows)
        await suppressions.suppress(
            session, desk.organization_id, "bounced@example.com", SuppressionReason.MANUAL, "asked by phone"
        )
    return rows[-1].id


async def _exports(desk: Desk) -> None:
    now = clock.now()
    async with transaction() as session:
        for place, state in enumerate(ExportState):
            session.add(
                Export(
                    organization_id=desk.organization_id, requested_by=desk.admin.user_id, job_key=new_id(),
                    report_type=list(ReportType)[place % 3], format=list(ExportFormat)[place % 3], filters={},
                    byte_order_mark=False, state=state, storage_key=new_id(),
                    rows_done=4_711 * place, rows_total=None if state is ExportState.QUEUED else 18_844,
                    size_bytes=123_456 if state is ExportState.DONE else None,
                    error="the storage is full" if state is ExportState.FAILED else None,
                    created_at=now, updated_at=now, expires_at=now + timedelta(days=7),
                )
            )  # fmt: skip


async def _past(desk: Desk) -> tuple[str, str]:
    now = clock.now()
    said = {
        "author_id": desk.customer.user_id, "body": HOSTILE, "visibility": "public",
        "created_at": (now - timedelta(days=500)).isoformat(),
    }  # fmt: skip
    async with transaction() as session:
        archived = ArchivedTicket(
            organization_id=desk.organization_id, number=900_000, subject=f"Old story {HOSTILE}",
            customer_id=desk.customer.user_id, closed_at=now - timedelta(days=400), archived_at=now,
            document={"messages": [said]},
        )  # fmt: skip
        session.add(archived)
        person = await accounts.create_user(
            session, desk.organization_id, f"{new_id()}@left.example", "Lea Left", Role.CUSTOMER,
            welcome=False,
        )  # fmt: skip
        await session.flush()
        receipt = await erasure.erase(session, desk.organization_id, person.id, now, actor=desk.admin)
    return archived.id, receipt.id


async def _failures(desk: Desk) -> str:
    failures = [
        Failure(
            "reports", f"j-{new_id()}", "export", clock.now(), f"no room {HOSTILE} {LONG}",
            data={"organizationId": desk.organization_id, "reportType": LONG}, readable=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    async with transaction() as session:
        first, *_ = await dead_letters.record(session, failures, clock.now())
        return (await dead_letters.get(session, first.id, desk.organization_id)).fingerprint


async def _job(desk: Desk) -> str:
    data = {"organizationId": desk.organization_id, "reportType": LONG, "email": "ann@example.com"}
    job = await app.queue("reports").add("export", data, delay=3600.0)
    await job.log(f"asked {HOSTILE} {LONG}")
    return job.id
