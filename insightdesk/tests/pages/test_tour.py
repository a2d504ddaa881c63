"""A walk through all pages, at a desktop's and a phone's width, in light and in dark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from chromium import HEIGHT, WIDTHS, Window, window
from desks import Desk
from lived_in import Places, live_in
from playwright.async_api import Browser

from insightdesk.email.registry import REGISTRY
from insightdesk.worker import app

SCHEMES = ("light", "dark")


@dataclass(frozen=True)
class Stop:
    """A page to look at: what is clicked there first, and what has to be there then."""

    path: str
    click: str = ""
    shown: str = "main"


def stops(places: Places) -> dict[str, Stop]:
    """Every page of an administrator by the name of its picture."""
    return {
        "desk": Stop("/"),
        "ticket": Stop(f"/?ticket={places.ticket}", shown="#reply"),
        "inbox": Stop("/", "#bell", "#read-all"),
        "mail": Stop("/mail"),
        "mail-open": Stop("/mail?state=failed", "#outbox .row", "#detail iframe"),
        "mail-refused": Stop("/mail?state=refused"),
        "templates": Stop("/mail/templates"),
        **{f"template-{name}": Stop(f"/mail/templates/{name}") for name in REGISTRY},
        "template-phone": Stop("/mail/templates/daily_digest", "[data-tab=phone]", "iframe.phone"),
        "template-text": Stop("/mail/templates/weekly_report", "[data-tab=text]", "pre"),
        "exports": Stop("/ui/exports"),
        "preferences": Stop("/preferences"),
        "sla": Stop("/ui/sla"),
        "reset": Stop("/reset"),
        **{
            name: Stop(f"/ui/admin/{path}")
            for name, path in {
                "overview": "overview",
                "queue": "queues/reports?state=delayed",
                "job": f"queues/reports/jobs/{places.job}",
                "schedules": "schedules",
                "failures": "dead-letters",
                "failure": f"dead-letters/{places.kind}",
                "workers": "workers",
                "engine": "engine",
                "audit": "audit",
                "settings": "settings",
                "people": "people?show=all",
                "person": f"people/{places.person}",
                "teams": "teams",
                "team": f"teams/{places.team}",
                "tags": "tags",
                "tag": "tags/billing",
                "policies": "policies",
                "policy": f"policies/{places.policy}",
                "policy-new": "policies/new",
                "calendars": "calendars",
                "calendar": f"calendars/{places.calendar}",
                "escalation": "escalation",
                "tokens": "tokens",
                "archive": "archive",
                "archived": f"archive/{places.archived}",
                "erasures": "erasures",
                "receipt": f"erasures/{places.receipt}",
                "suppressions": "suppressions",
            }.items()
        },
        "question": Stop("/ui/admin/suppressions", "[data-delete]", "dialog[open]"),
    }


async def look(opened: Window, name: str, pictures: Path | None) -> list[str]:
    """The page that is open, in all its forms; returns what is wrong."""
    wrong = []
    for place, (kind, width) in enumerate(WIDTHS.items()):
        await opened.page.set_viewport_size({"width": width, "height": HEIGHT})
        for turn, scheme in enumerate(SCHEMES):
            await opened.page.emulate_media(color_scheme=scheme)
            if wider := await opened.overflow():
                wrong.append(f"{name} is {wider} pixels too wide at {width}, {scheme}")
            if place == turn:  # each width and each scheme once: it takes its time
                wrong += [f"{name}, {kind}, {scheme}: {found}" for found in await opened.inaccessible()]
            if pictures is not None:
                path = pictures / f"{name}-{kind}-{scheme}.png"
                await opened.page.screenshot(path=path, full_page=True)
    return wrong


@pytest.mark.browser
@pytest.mark.slow
async def test_every_page_fits_is_accessible_and_breaks_no_rule(
    browser: Browser, address: str, desk: Desk, other_desk: Desk, pictures: Path | None
) -> None:
    await app.apply_schedules()
    places = await live_in(desk)
    async with window(browser, address) as opened:
        await opened.open("/")
        wrong = await look(opened, "login", pictures)
        await opened.sign_in(desk.admin)
        for name, stop in stops(places).items():
            await opened.page.set_viewport_size({"width": WIDTHS["desk"], "height": HEIGHT})
            await opened.open(stop.path)
            if stop.click:
                await opened.page.click(stop.click)
            await opened.page.wait_for_selector(stop.shown)
            wrong += await look(opened, name, pictures)
        for who in (desk.agent, desk.customer):
            await opened.page.context.clear_cookies()
            await opened.open(f"/?ticket={places.ticket}")
            await opened.sign_in(who)
            await opened.page.wait_for_selector("#reply")
            wrong += await look(opened, f"ticket-{who.role}", pictures)
        troubles, opened.troubles = opened.troubles, []
    assert not (wrong + troubles), "\n".join(wrong + troubles)
