"""A walk through all pages, at a desktop's and a phone's width, in light and in dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import HEIGHT, WIDTHS, Window, window
from desks import Desk
from lived_in import Places, live_in
from playwright.async_api import Browser

from insightdesk.email.registry import REGISTRY
from insightdesk.worker import app

SCHEMES = ("light", "dark")


def pages(places: Places) -> dict[str, str]:
    """Every page by the name of its picture."""
    return {
        "desk": "/",
        "ticket": f"/?ticket={places.ticket}",
        "mail": "/mail",
        "mail-refused": "/mail?state=refused",
        "templates": "/mail/templates",
        **{f"template-{name}": f"/mail/templates/{name}" for name in REGISTRY},
        "exports": "/ui/exports",
        "preferences": "/preferences",
        "sla": "/ui/sla",
        "overview": "/ui/admin/overview",
        "queue": "/ui/admin/queues/reports?state=delayed",
        "job": f"/ui/admin/queues/reports/jobs/{places.job}",
        "schedules": "/ui/admin/schedules",
        "failures": "/ui/admin/dead-letters",
        "failure": f"/ui/admin/dead-letters/{places.kind}",
        "workers": "/ui/admin/workers",
        "audit": "/ui/admin/audit",
        "settings": "/ui/admin/settings",
        "people": "/ui/admin/people?show=all",
        "person": f"/ui/admin/people/{places.person}",
        "teams": "/ui/admin/teams",
        "team": f"/ui/admin/teams/{places.team}",
        "tags": "/ui/admin/tags",
        "tag": "/ui/admin/tags/billing",
        "policies": "/ui/admin/policies",
        "policy": f"/ui/admin/policies/{places.policy}",
        "policy-new": "/ui/admin/policies/new",
        "calendars": "/ui/admin/calendars",
        "calendar": f"/ui/admin/calendars/{places.calendar}",
        "escalation": "/ui/admin/escalation",
        "tokens": "/ui/admin/tokens",
        "archive": "/ui/admin/archive",
        "archived": f"/ui/admin/archive/{places.archived}",
        "erasures": "/ui/admin/erasures",
        "receipt": f"/ui/admin/erasures/{places.receipt}",
        "suppressions": "/ui/admin/suppressions",
        "reset": "/reset",
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
    browser: Browser, address: str, desk: Desk, pictures: Path | None
) -> None:
    await app.apply_schedules()
    places = await live_in(desk)
    async with window(browser, address) as opened:
        await opened.open("/")
        wrong = await look(opened, "login", pictures)
        await opened.sign_in(desk.admin)
        for name, path in pages(places).items():
            await opened.page.set_viewport_size({"width": WIDTHS["desk"], "height": HEIGHT})
            await opened.open(path)
            if name == "ticket":
                await opened.page.wait_for_selector("#reply")
            wrong += await look(opened, name, pictures)
        troubles, opened.troubles = opened.troubles, []
    assert not (wrong + troubles), "\n".join(wrong + troubles)
