"""Makes a large desk by set-based SQL: what it says is dull, how much of it there is counts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Integer, Text, bindparam, text

AGENTS = 3
"""Agents of each organization, beside one administrator and ten customers."""
_CUSTOMERS = 10
BIG = "desk-1"
"""The organization that has, beside its share, the closed tickets that are exported."""


@dataclass(frozen=True)
class Sizes:
    """How large the desk is.

    Attributes:
        few: open tickets at the first scan.
        tickets: open tickets at the second, spread over all organizations.
        exported: closed tickets of one organization.
    """

    organizations: int
    few: int
    tickets: int
    messages: int
    exported: int


def run(connection: Connection, statement: str, **values: object) -> int:
    """Run one statement; returns how many rows it touched."""
    kinds = [
        bindparam(name, type_=Integer() if isinstance(value, int) else Text())
        for name, value in values.items()
    ]
    return connection.execute(text(statement).bindparams(*kinds), values).rowcount


def without_checks(connection: Connection) -> None:
    """Rows made here refer to rows made here: foreign keys need not be looked up for each."""
    run(connection, "SET LOCAL session_replication_role = replica")
    run(connection, "SET LOCAL synchronous_commit = off")


def organizations(connection: Connection, sizes: Sizes) -> None:
    """The tenants in a few zones, with their people."""
    without_checks(connection)
    run(
        connection,
        """
        INSERT INTO organizations (id, name, slug, time_zone, last_ticket_number)
        SELECT 'desk-' || n, 'Desk ' || n, 'desk-' || n,
               (ARRAY['UTC', 'Europe/Berlin', 'Europe/London'])[1 + n % 3], 100000000
        FROM generate_series(1, :organizations) n
        """,
        organizations=sizes.organizations,
    )
    run(
        connection,
        """
        INSERT INTO users (id, organization_id, email, name, role, active)
        SELECT format('user-%s-%s', n, p), 'desk-' || n, format('p%s@desk-%s.example', p, n), 'Person ' || p,
               CASE WHEN p = 0 THEN 'admin' WHEN p <= :agents THEN 'agent' ELSE 'customer' END, true
        FROM generate_series(1, :organizations) n, generate_series(0, :agents + :customers) p
        """,
        organizations=sizes.organizations,
        agents=AGENTS,
        customers=_CUSTOMERS,
    )
    run(
        connection,
        """
        INSERT INTO sla_policies (id, organization_id, name, changed_at)
        SELECT 'policy-' || n, 'desk-' || n, 'Default', now() - interval '90 days'
        FROM generate_series(1, :organizations) n
        """,
        organizations=sizes.organizations,
    )
    run(
        connection,
        """
        INSERT INTO sla_targets (id, organization_id, policy_id, priority, first_response_minutes,
                                 resolution_minutes)
        SELECT format('target-%s-%s', n, priority), 'desk-' || n, 'policy-' || n, priority, 1440, 1440
        FROM generate_series(1, :organizations) n, unnest(ARRAY['low', 'normal', 'high', 'urgent']) priority
        """,
        organizations=sizes.organizations,
    )


def open_tickets(connection: Connection, sizes: Sizes, first: int, last: int) -> None:
    """Open tickets ``first`` to ``last`` with both clocks, due from 25 hours to 60 days from now."""
    without_checks(connection)
    run(
        connection,
        """
        INSERT INTO tickets (id, organization_id, number, subject, status, priority, customer_id, assignee_id,
                             created_at, updated_at)
        SELECT 'ticket-' || n, 'desk-' || d, n, 'Printer ' || n || ' is on fire', 'open',
               (ARRAY['low', 'normal', 'high', 'urgent'])[1 + n % 4],
               format('user-%s-%s', d, :agents + 1 + n % :customers),
               format('user-%s-%s', d, 1 + n % :agents),
               now() - interval '40 days' * random(), now()
        FROM generate_series(:first, :last) n, LATERAL (SELECT 1 + n % :organizations AS d) desk
        """,
        first=first,
        last=last,
        organizations=sizes.organizations,
        agents=AGENTS,
        customers=_CUSTOMERS,
    )
    run(
        connection,
        """
        INSERT INTO sla_clocks (id, organization_id, ticket_id, metric, cycle, target_seconds, started_at,
                                pauses, warn_at, due_at, warned_at, next_at, version, staged_version)
        SELECT format('clock-%s-%s', n, metric), 'desk-' || (1 + n % :organizations), 'ticket-' || n, metric,
               1, 86400, due - interval '1 day', '[]', due - interval '6 hours', due, now(), due, 1, 0
        FROM generate_series(:first, :last) n, unnest(ARRAY['first_response', 'resolution']) metric,
             LATERAL (SELECT now() + interval '25 hours' + interval '60 days' * random()
                             + 0 * n * interval '1 second' AS due) moment
        """,
        first=first,
        last=last,
        organizations=sizes.organizations,
    )


def closed_tickets(connection: Connection, sizes: Sizes) -> None:
    """The closed tickets of the big organization."""
    without_checks(connection)
    run(
        connection,
        """
        INSERT INTO tickets (id, organization_id, number, subject, status, priority, customer_id, assignee_id,
                             created_at, updated_at, resolved_at, closed_at, closed_reason)
        SELECT 'closed-' || n, :big, 10000000 + n, 'Invoice ' || n || ' has the wrong address', 'closed',
               (ARRAY['low', 'normal', 'high', 'urgent'])[1 + n % 4],
               format('user-1-%s', :agents + 1 + n % :customers), format('user-1-%s', 1 + n % :agents),
               at, at, at + interval '1 day', at + interval '8 days', 'auto_closed_after_resolution'
        FROM generate_series(1, :exported) n,
             LATERAL (SELECT now() - interval '20 days' - n * interval '30 seconds' AS at) moment
        """,
        exported=sizes.exported,
        big=BIG,
        agents=AGENTS,
        customers=_CUSTOMERS,
    )


def messages(connection: Connection, sizes: Sizes, first: int, last: int) -> None:
    """Messages ``first`` to ``last``, spread over the open tickets."""
    without_checks(connection)
    run(
        connection,
        """
        INSERT INTO messages (id, organization_id, ticket_id, author_id, body, visibility, created_at)
        SELECT 'message-' || n, 'desk-' || d, 'ticket-' || t, format('user-%s-%s', d, n % :people),
               'It still smokes, and the smell has become worse since message ' || n, 'public',
               now() - interval '30 days' * random()
        FROM generate_series(:first, :last) n, LATERAL (SELECT 1 + n % :tickets AS t) ticket,
             LATERAL (SELECT 1 + t % :organizations AS d) desk
        """,
        first=first,
        last=last,
        tickets=sizes.tickets,
        organizations=sizes.organizations,
        people=AGENTS + _CUSTOMERS,
    )


def make_due(connection: Connection, due: int) -> None:
    """Let the deadline of ``due`` clocks have passed in the last five minutes."""
    run(
        connection,
        """
        UPDATE sla_clocks SET due_at = moment, next_at = moment, started_at = moment - interval '1 day'
        FROM (SELECT id AS due_id, now() - interval '5 minutes' * random() AS moment
              FROM sla_clocks WHERE next_at > now() + interval '25 hours' LIMIT :due) due
        WHERE id = due_id
        """,
        due=due,
    )


def make_resolved(connection: Connection, count: int) -> None:
    """Let ``count`` open tickets have been resolved for eight days."""
    without_checks(connection)
    run(
        connection,
        """
        UPDATE tickets
        SET status = 'resolved', resolved_at = now() - interval '8 days' - interval '1 hour' * random()
        WHERE id IN (SELECT id FROM tickets WHERE status = 'open' ORDER BY id LIMIT :count)
        """,
        count=count,
    )
