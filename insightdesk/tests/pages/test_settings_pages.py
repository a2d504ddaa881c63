"""What administrators change on their pages, in a browser: it is done, it is in the audit log, and what is
wrong is told at its field."""

from __future__ import annotations

import pytest
from chromium import WIDTHS, Window, window
from desks import Desk
from lived_in import live_in
from playwright.async_api import Browser, expect

from insightdesk.accounts import people, service, teams, tokens
from insightdesk.accounts.models import Role, Scope
from insightdesk.admin.audit import AuditFilter, list_entries
from insightdesk.database import new_id, transaction
from insightdesk.email import suppressions
from insightdesk.kit import clock
from insightdesk.kit.pagination import PageRequest
from insightdesk.retention import erasure
from insightdesk.retention import service as retention
from insightdesk.sla import calendars, escalation, policies
from insightdesk.sla.models import EscalationAction
from insightdesk.tickets import tags
from insightdesk.tickets.auto_close import service as auto_close

pytestmark = pytest.mark.browser


async def audited(desk: Desk, action: str) -> list[dict[str, object]]:
    """The details of what the administrator did."""
    async with transaction() as session:
        rows, _ = await list_entries(
            session,
            desk.organization_id,
            AuditFilter(actor_id=desk.admin.user_id, action=action),
            PageRequest(1, 50),
        )
    return [row.entry.details for row in rows]


@pytest.fixture
async def admin(desktop: Window, desk: Desk) -> Window:
    """A window in which the administrator has logged in."""
    await desktop.open("/")
    await desktop.sign_in(desk.admin)
    return desktop


async def refused(opened: Window, field: str, words: str) -> None:
    """The field is marked with these words, and has the focus. The refusal stands in the console too."""
    wrong = opened.page.locator(f"{field}[aria-invalid=true]")
    await expect(wrong).to_be_focused()
    described = await wrong.get_attribute("aria-describedby")
    await expect(opened.page.locator(f"#{described}")).to_contain_text(words)
    opened.troubles[:] = [trouble for trouble in opened.troubles if "422" not in trouble]


async def test_settings_are_changed_and_what_is_wrong_is_told_at_its_field(admin: Window, desk: Desk) -> None:
    page = admin.page
    await admin.open("/ui/admin/settings")
    await page.fill("[name=name]", "Desk of Ann")
    await page.fill("[name=timeZone]", "Europe/Atlantis")
    await page.click("form[action$=organization] [type=submit]")
    await refused(admin, "[name=timeZone]", "there is no time zone")
    await page.fill("[name=timeZone]", "Europe/Berlin")
    await page.click("form[action$=organization] [type=submit]")
    await expect(page.locator("form[action$=organization] .said")).to_have_text("Saved.")
    assert await page.locator("[aria-invalid]").count() == 0

    await page.fill("[name=afterDays]", "")
    await page.select_option("[name=lateReply]", "follow_up")
    await page.click("form[action$=auto-close] [type=submit]")
    await expect(page.locator("form[action$=auto-close] .said")).to_have_text("Saved.")

    await page.fill("[name=purgeAfterDays]", "10")
    await page.click("form[action$=retention] [type=submit]")
    await refused(admin, "[name=purgeAfterDays]", "a ticket is archived before it is purged")
    await page.fill("[name=archiveAfterDays]", "5")
    await page.click("form[action$=retention] [type=submit]")
    await expect(page.locator("form[action$=retention] .said")).to_have_text("Saved.")

    async with transaction() as session:
        organization = await service.get_organization(session, desk.organization_id)
        rules = await auto_close.rules(session, desk.organization_id)
        limits = await retention.limits(session, desk.organization_id)
    assert (organization.name, organization.time_zone) == ("Desk of Ann", "Europe/Berlin")
    assert (rules.after_days, rules.late_reply.value) == (None, "follow_up")
    assert (limits.archive_after_days, limits.purge_after_days) == (5, 10)
    for action in ("organization.set", "auto_close.set", "retention.set"):
        assert len(await audited(desk, action)) == 1, action


async def test_people_are_invited_changed_locked_out_and_erased(admin: Window, desk: Desk) -> None:
    page, email = admin.page, f"{new_id()}@new.example"
    await admin.open("/ui/admin/people")
    await page.fill("form[data-send] [name=email]", desk.agent.email)
    await page.fill("form[data-send] [name=name]", "Nora New")
    await page.click("text=Invite >> nth=-1")
    await refused(admin, "[name=email]", "a user with this address already exists")
    await page.fill("form[data-send] [name=email]", email)
    await page.click("form[data-send] [type=submit]")
    await page.click("a:text-is('Nora New')")

    await page.fill("[name=name]", "Nora Newman")
    await page.select_option("[name=role]", "customer")
    await page.click("form[data-send=PATCH] [type=submit]")
    await expect(page.locator("h1")).to_have_text("Nora Newman")
    await page.click("button:text-is('Lock out')")
    await page.click("#confirm [value=no]")
    await expect(page.locator(".tag:text-is('locked out')")).to_have_count(0)
    await page.click("button:text-is('Lock out')")
    await page.click("#confirm [value=yes]")
    await expect(page.locator(".tag:text-is('locked out')")).to_be_visible()
    await page.click("button:text-is('Let in')")
    await expect(page.locator("button:text-is('Lock out')")).to_be_visible()

    await page.fill("[name=address]", desk.agent.email)
    await page.click("button:text-is('Erase')")
    await expect(page.locator("[name=address][aria-invalid]")).to_be_focused()
    await page.fill("[name=address]", email.upper())
    await page.click("button:text-is('Erase')")
    await page.click("#confirm [value=yes]")
    await expect(page.locator("h1")).to_contain_text("Receipt of an erasure queues follow")

    async with transaction() as session:
        (receipt,) = await erasure.receipts(session, desk.organization_id, 5)
        erased = await people.get_person(session, desk.organization_id, receipt.user_id)
    assert page.url.endswith(f"/ui/admin/erasures/{receipt.id}")
    assert (erased.name, erased.active, erased.role) == ("Erased", False, Role.CUSTOMER)
    assert len(await audited(desk, "user.created")) == 1
    assert len(await audited(desk, "user.updated")) == 3
    assert len(await audited(desk, "person.erased")) == 1


async def test_the_last_administrator_is_told_why_he_stays(admin: Window, desk: Desk) -> None:
    await admin.open(f"/ui/admin/people/{desk.admin.user_id}")
    assert await admin.page.locator("text=Lock out").count() == 0
    await admin.page.select_option("[name=role]", "agent")
    await admin.page.click("form[data-send] [type=submit]")
    await expect(admin.page.locator("form .problem[role]")).to_contain_text("this is the last one")
    admin.troubles.clear()


async def test_a_team_is_made_changed_and_dissolved(admin: Window, desk: Desk) -> None:
    page = admin.page
    await admin.open("/ui/admin/teams")
    await page.fill("[name=name]", "Night shift")
    await page.click("label:has-text('The agent')")
    await page.click("[type=submit]")
    await page.click("a:text-is('Night shift')")
    await page.click("label:has-text('The admin')")
    await page.click("form [type=submit]")
    await expect(page.locator(".said")).to_have_text("Saved.")
    async with transaction() as session:
        (team,) = await teams.list_teams(session, desk.organization_id)
    assert set(team.member_ids) == {desk.admin.user_id, desk.agent.user_id}
    await page.click("button:text-is('Dissolve')")
    await page.click("#confirm [value=yes]")
    await page.wait_for_url("**/ui/admin/teams")
    await expect(page.locator("text=There is no team yet.")).to_be_visible()
    for action in ("team.created", "team.changed", "team.deleted"):
        assert len(await audited(desk, action)) == 1, action


async def test_a_token_is_shown_once_and_revoked(admin: Window, desk: Desk) -> None:
    page = admin.page
    await admin.open("/ui/admin/tokens")
    await page.fill("[name=name]", "Import")
    await page.select_option("[name=scope]", "write")
    await page.fill("[name=expiresInDays]", "30")
    await page.click("form [type=submit]")
    shown = page.locator("[data-show]")
    await expect(shown).to_contain_text("idk_")
    text = await shown.inner_text()
    async with transaction() as session:
        principal = await tokens.principal_of_token(session, text, clock.now())
    assert (principal.user_id, principal.scope) == (desk.admin.user_id, Scope.WRITE)
    await page.click("text=Done")
    await expect(page.locator("b:text-is('Import')")).to_be_visible()
    assert text not in await page.content()
    await page.click("tr:has-text('Import') button")
    await page.click("#confirm [value=yes]")
    await expect(page.locator("b:text-is('Import')")).to_have_count(0)
    assert len(await audited(desk, "token.created")) == len(await audited(desk, "token.revoked")) == 1


async def test_a_calendar_and_a_policy_are_made_changed_and_deleted(admin: Window, desk: Desk) -> None:
    page = admin.page
    await admin.open("/ui/admin/calendars/new")
    await page.fill("[name=name]", "Short days")
    await page.fill("[name=country]", "XX")
    await page.click("form [type=submit]")
    await expect(page.locator("[name=country][aria-invalid]")).to_be_focused()
    admin.troubles.clear()
    await page.fill("[name=country]", "DE")
    await page.click("text=Add hours")
    await page.keyboard.press("Tab")  # from the day to its hours: the new line has the focus
    await page.keyboard.type("10:00")
    await page.keyboard.press("Tab")
    await page.keyboard.type("12:00")
    await page.click("form [type=submit]")
    await expect(page.locator("form .problem:not(:empty)")).to_contain_text("two spans of a day overlap")
    admin.troubles.clear()
    await page.select_option("[name=weekday] >> nth=-1", "saturday")
    await page.click("[data-remove] >> nth=4")
    await page.fill("[name=ownDays]", "2026-12-24\n2026-12-31")
    await page.click("form [type=submit]")
    await expect(page.locator("h1")).to_have_text("Short days")
    await expect(page.locator("text=Next:")).to_be_visible()

    await admin.open("/ui/admin/policies/new")
    await page.fill("[name=name]", "All others")
    await page.select_option("[name=calendarId]", label="Short days")
    await page.click("form [type=submit]")
    await refused(admin, "[name=teamId]", "there is a policy for this already")
    await page.click("text=Promises >> nth=0")
    await page.click("a.row")
    await page.select_option("[name=calendarId]", label="Short days")
    await page.fill("tr:has-text('urgent') [name=resolutionMinutes]", "-1")
    await page.evaluate("document.querySelector('form[data-send]').noValidate = true")
    await page.click("form [type=submit]")
    await refused(admin, "tr:has-text('urgent') [name=resolutionMinutes]", "greater than 0")
    await page.fill("tr:has-text('urgent') [name=resolutionMinutes]", "90.5")
    await page.fill("tr:has-text('urgent') [name=firstResponseMinutes]", "")
    await page.click("form [type=submit]")
    await expect(page.locator(".said")).to_have_text("Saved.")
    async with transaction() as session:
        (calendar,) = (await calendars.list_calendars(session, desk.organization_id)).values()
        (policy,) = await policies.list_policies(session, desk.organization_id)
    assert [opening.weekday for opening in calendar.openings] == [0, 1, 2, 3, 5]
    assert len(calendar.own_days) == 2
    urgent = next(target for target in policy.targets if target.priority == "urgent")
    assert (urgent.first_response_minutes, urgent.resolution_minutes) == (None, 90.5)

    await page.click("button:text-is('Delete')")
    await page.click("#confirm [value=yes]")
    await expect(page.locator("text=Nothing is promised.")).to_be_visible()
    await page.click("text=Calendars")
    await page.click("a.row")
    await page.click("button:text-is('Delete')")
    await page.click("#confirm [value=yes]")
    await expect(page.locator("text=There is no calendar")).to_be_visible()
    for action in ("calendar.created", "calendar.deleted", "policy.changed", "policy.deleted"):
        assert len(await audited(desk, f"sla.{action}")) == 1, action


async def test_escalation_is_set_step_by_step(admin: Window, desk: Desk) -> None:
    page = admin.page
    await admin.open("/ui/admin/escalation")
    for minutes in ("0", "30"):
        await page.click("text=Add a step")
        await page.fill("[name=afterMinutes] >> nth=-1", minutes)
    await page.select_option("[name=action] >> nth=1", "reassign")
    await page.select_option("[name=userId] >> nth=1", label="The agent")
    async with page.expect_navigation():
        await page.click("form [type=submit]")
    await expect(page.locator("[data-item]")).to_have_count(2)
    async with transaction() as session:
        steps = await escalation.list_steps(session, desk.organization_id)
    assert [step.action for step in steps] == [EscalationAction.RAISE_PRIORITY, EscalationAction.REASSIGN]
    assert (steps[1].after_minutes, steps[1].user_id) == (30, desk.agent.user_id)
    assert len(await audited(desk, "sla.escalation.set")) == 1


async def test_tags_suppressions_and_the_archive_are_seen_and_mended(admin: Window, desk: Desk) -> None:
    page = admin.page
    places = await live_in(desk)
    await admin.open("/ui/admin/tags")
    await page.click("a:text-is('billing')")
    await page.click("tr:has-text('Invoice') button")
    await expect(page.locator("tr:has-text('Invoice')")).to_have_count(0)
    await page.click("tr button")
    await page.wait_for_url("**/ui/admin/tags")
    async with transaction() as session:
        assert set(await tags.in_use(session, desk.organization_id)) == {"no-auto-close", "vip"}
    assert len(await audited(desk, "ticket.untagged")) == 2

    await admin.open("/ui/admin/suppressions")
    await page.fill("[name=address]", "loud@example.com")
    await page.click("form[data-send] [type=submit]")
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.click("tr:has-text('bounced@example.com') button")
    await page.click("#confirm [value=yes]")
    await expect(page.locator("tbody tr")).to_have_count(1)
    async with transaction() as session:
        found, _ = await suppressions.listed(session, desk.organization_id, PageRequest(1, 10))
    assert [each.address for each in found] == ["loud@example.com"]
    assert len(await audited(desk, "mail.suppressed")) == len(await audited(desk, "mail.released")) == 1

    await admin.open("/ui/admin/archive")
    await page.fill("[name=number]", "900000")
    await page.click("text=Find")
    await page.click("td a")
    await expect(page.locator(".message .body")).to_contain_text("<script>alert(1)</script>{{ 7*7 }}")
    assert places.archived in page.url


async def test_no_page_of_an_administrator_is_for_others(
    browser: Browser, address: str, desk: Desk, other_desk: Desk
) -> None:
    places = await live_in(desk)
    paths = (
        "settings", "people", f"people/{places.person}", "teams", f"teams/{places.team}", "tags", "policies",
        f"policies/{places.policy}", "calendars", f"calendars/{places.calendar}", "escalation", "tokens",
        "archive", f"archive/{places.archived}", "erasures", f"erasures/{places.receipt}", "suppressions",
    )  # fmt: skip
    for who, expected in ((desk.agent, 403), (desk.customer, 403), (other_desk.admin, 404)):
        async with window(browser, address, width=WIDTHS["phone"]) as opened:
            await opened.open("/")
            await opened.sign_in(who)
            for path in paths:
                if expected == 404 and "/" not in path:
                    continue  # his own organization's
                answer = await opened.page.request.get(f"{address}/ui/admin/{path}")
                assert answer.status == expected, (path, who.role)
            opened.troubles.clear()
