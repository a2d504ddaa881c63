"""`insightdesk demo`: a day of a helpdesk in a minute, played over REST like any client would."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from insightdesk.cli.listing import make_console
from insightdesk.cli.problems import Problem
from insightdesk.cli.seed import Login, saved_logins
from insightdesk.settings import load_settings

__all__ = ["run_demo"]

_SUBJECTS = (
    "Invoice shows the wrong address",
    "Cannot sign in since this morning",
    "Export stops at 10 %",
    "Where do I change my password?",
    "Delivery has not arrived",
    "The app is slow on my phone",
    "Refund for order 4711",
    "Feature wish: dark mode",
)
_STEP = 0.5  # seconds between two things that happen


@dataclass
class Day:
    """What was done so far, for the summary."""

    agent_id: str
    open: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)


async def run_demo(url: str, seconds: float, no_color: bool = False) -> None:
    """Plays the day and prints what came of it.

    Raises:
        Problem: no `insightdesk dev` with demo data answers at `url`.
    """
    logins = {login.role: login for login in saved_logins(load_settings().data_dir)}
    if not {"admin", "agent", "customer"} <= logins.keys():
        raise Problem("no demo logins in the data folder; start `insightdesk dev` here first")
    dice = random.Random(7)
    console = make_console(no_color)
    async with (
        _client(url, logins["customer"]) as customer,
        _client(url, logins["agent"]) as agent,
        _client(url, logins["admin"]) as admin,
    ):
        before = await _outcome(admin)
        me = await _call(agent, "GET", "/api/me")
        day = Day(agent_id=me["userId"])
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("a day of a helpdesk", total=seconds)
            loop = asyncio.get_running_loop()
            start = loop.time()
            while (spent := loop.time() - start) < seconds:
                progress.update(bar, completed=spent)
                await _something_happens(dice, day, customer, agent)
                await asyncio.sleep(_STEP)
            progress.update(bar, completed=seconds)
        await _call(agent, "POST", "/api/reports/exports", {"reportType": "tickets", "format": "pdf"})
        day.done["exports"] += 1
        await _replay(admin, day)
        after = await _outcome(admin)
    for what in ("tickets", "replies", "assignments", "solved", "exports", "replays"):
        console.print(f"{what:<12} {day.done[what]}", highlight=False)
    for what in ("mails sent", "breaches"):
        console.print(f"{what:<12} {after[what] - before[what]}", highlight=False)


async def _something_happens(
    dice: random.Random, day: Day, customer: httpx.AsyncClient, agent: httpx.AsyncClient
) -> None:
    lot = dice.random()
    if lot < 0.35 or not day.open:
        body = {
            "subject": dice.choice(_SUBJECTS),
            "body": "Please have a look at this.",
            "priority": dice.choice(("low", "normal", "high", "urgent")),
        }
        ticket = await _call(customer, "POST", "/api/tickets", body)
        day.open.append(ticket["id"])
        day.done["tickets"] += 1
        return
    ticket_id = dice.choice(day.open)
    if lot < 0.55:
        await _call(agent, "PATCH", f"/api/tickets/{ticket_id}", {"assigneeId": day.agent_id})
        day.done["assignments"] += 1
    elif lot < 0.75:
        who = dice.choice((agent, customer))
        await _call(who, "POST", f"/api/tickets/{ticket_id}/messages", {"body": "Here is what I found."})
        day.done["replies"] += 1
    elif lot < 0.9:
        await _call(agent, "PATCH", f"/api/tickets/{ticket_id}", {"status": "resolved"})
        day.open.remove(ticket_id)
        day.done["solved"] += 1


async def _replay(admin: httpx.AsyncClient, day: Day) -> None:
    """Lets the jobs that failed for good run once more, as an administrator would.

    What can be mended is mended first: whoever asked for an export in vain is made an agent.
    """
    for letter in await _call(admin, "GET", "/admin/jobs/failed"):
        if letter["retriedAt"] is None:
            if letter["name"] == "export":
                await _call(admin, "PATCH", f"/api/users/{letter['data']['requestedBy']}", {"role": "agent"})
            await _call(admin, "POST", f"/admin/jobs/retry/{letter['id']}")
            day.done["replays"] += 1


async def _outcome(admin: httpx.AsyncClient) -> dict[str, int]:
    """Mails made and promises broken so far."""
    mails = await _call(admin, "GET", "/admin/emails?pageSize=1")
    tickets = await _call(admin, "GET", "/api/tickets?pageSize=200")
    breaches = sum(clock["breachedAt"] is not None for ticket in tickets["items"] for clock in ticket["sla"])
    return {"mails sent": int(mails["total"]), "breaches": breaches}


def _client(url: str, login: Login) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {login.token}"}, timeout=15.0)


async def _call(client: httpx.AsyncClient, method: str, path: str, body: object = None) -> Any:
    try:
        answer = await client.request(method, path, json=body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Problem(f"no answer from {client.base_url}: {error or type(error).__name__}") from error
    if answer.is_error:
        raise Problem(f"{method} {path} was answered with {answer.status_code}: {answer.text[:200]}")
    return answer.json()["data"]
