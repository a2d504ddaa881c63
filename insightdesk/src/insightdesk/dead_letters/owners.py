"""Whose a job is: its payload decides, and only if all that it refers to is of one organization."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.accounts import service as accounts
from insightdesk.email import service as email
from insightdesk.tickets import service as tickets

__all__ = ["organizations_of"]

_USERS = (
    "userId",
    "recipientId",
    "actorId",
    "requestedBy",
    "agentId",
    "adminId",
    "assigneeId",
    "customerId",
    "recipientIds",
)
_ADDRESSES = ("email", "to")
_MOST = 20  # references of one kind in one payload that are looked at


async def organizations_of(session: AsyncSession, payloads: Sequence[toril.Json]) -> list[str | None]:
    """The organization of each payload; None where it tells nobody's, or several.

    An address counts only where nothing else tells, and only if one organization alone knows it. Six
    queries, however many payloads.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    found = [[*_references(payload)] for payload in payloads]
    for references in found:
        for kind, value in references:
            wanted[kind].add(value)
    organizations = await accounts.existing_organizations(session, wanted["organization"])
    known: dict[str, dict[str, set[str]]] = {
        "organization": {each: {each} for each in organizations},
        "delivery": await email.organizations_of_deliveries(session, wanted["delivery"]),
        "window": await email.organizations_of_windows(session, wanted["window"]),
        "ticket": await tickets.organizations_of_tickets(session, wanted["ticket"]),
        "user": await accounts.organizations_of_users(session, wanted["user"]),
        "address": await accounts.organizations_of_addresses(session, wanted["address"]),
    }
    return [_owner(references, known) for references in found]


def _owner(references: list[tuple[str, str]], known: dict[str, dict[str, set[str]]]) -> str | None:
    if any(kind == "organization" and not known[kind].get(value) for kind, value in references):
        return None  # it names one that does not exist
    firm = [known[kind].get(value, set()) for kind, value in references if kind != "address"]
    told = set[str]().union(*firm)
    if not told:
        told = set[str]().union(*(known[kind].get(value, set()) for kind, value in references))
    return told.pop() if len(told) == 1 else None


def _references(payload: toril.Json) -> Iterator[tuple[str, str]]:
    if not isinstance(payload, dict):
        return
    fields = (
        ("organization", ("organizationId",)),
        ("delivery", ("deliveryId",)),
        ("window", ("windowId",)),
        ("ticket", ("ticketId",)),
        ("user", _USERS),
        ("address", _ADDRESSES),
    )
    for kind, names in fields:
        for name in names:
            values = payload.get(name)
            for value in values[:_MOST] if isinstance(values, list) else [values]:
                if isinstance(value, str) and 0 < len(value) <= 320 and value.isprintable():
                    yield kind, value.lower() if kind == "address" else value
