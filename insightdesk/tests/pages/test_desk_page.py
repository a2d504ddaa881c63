"""The desk in a browser: it is led to by mails, lives without being loaded again, and takes what staff do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from browsers import PASSWORD
from chromium import Window, window
from desks import Desk
from playwright.async_api import Browser, expect
from promises import open_ticket, patch, say
from queries import counted

from insightdesk.accounts import service as accounts
from insightdesk.accounts import teams
from insightdesk.accounts.models import Role
from insightdesk.accounts.service import Principal
from insightdesk.database import new_id, transaction
from insightdesk.kit import clock
from insightdesk.pages import queries
from insightdesk.tickets import service as tickets
from insightdesk.tickets.models import Participant, Ticket, Visibility


@pytest.mark.browser
async def test_the_link_of_a_mail_leads_through_the_login_to_the_ticket(
    browser: Browser, address: str, desk: Desk, other_desk: Desk
) -> None:
    ticket = await open_ticket(desk, clock.now())
    async with transaction() as session:
        guest = await accounts.create_user(
            session, desk.organization_id, f"{new_id()}@guest.example", "Guest", Role.CUSTOMER,
            password=PASSWORD, welcome=False,
        )  # fmt: skip
        session.add(Participant(organization_id=desk.organization_id, ticket_id=ticket.id, user_id=guest.id))
    for who in (desk.agent, desk.customer, Principal.of(guest)):
        async with window(browser, address) as opened:
            await opened.open(f"/?ticket={ticket.id}")
            await opened.sign_in(who)
            await expect(opened.page.locator("#detail h2")).to_have_text("#1 Help")
            assert opened.page.url.endswith(f"/?ticket={ticket.id}")
            staff = await opened.page.locator("form[data-only=changed]").count()
            assert staff == (1 if who.role.is_staff else 0)
    async with window(browser, address) as opened:
        await opened.open(f"/?ticket={ticket.id}")
        await opened.sign_in(other_desk.admin)
        await expect(opened.page.locator("#detail")).to_have_text("This is not there, or not for you.")
        await opened.page.goto("about:blank")  # which asks no more
        opened.troubles.clear()  # the browser has told of each 404


@pytest.mark.browser
async def test_clocks_tick_and_tickets_come_without_a_reload(desktop: Window, desk: Desk) -> None:
    now, page = clock.now(), desktop.page
    await open_ticket(desk, now)
    await desktop.open("/")
    await desktop.sign_in(desk.agent)
    await page.evaluate("window.untouched = true")
    await expect(page.locator("#live")).to_have_text("live")
    clock_text = page.locator("#tickets .clock b").first
    shown = await clock_text.inner_text()
    await expect(clock_text).not_to_have_text(shown)
    second = await open_ticket(desk, now)
    await expect(page.locator("#tickets .row")).to_have_count(2)
    await say(desk, second, clock.now(), staff=True)
    await expect(page.locator("#tickets .clock.met")).to_have_count(1)
    await page.goto(desktop.address + "/ui/sla")
    await page.evaluate("window.untouched = true")
    await expect(page.locator(".promises tbody tr")).to_have_count(3)
    await open_ticket(desk, now)
    await expect(page.locator(".promises tbody tr")).to_have_count(5)
    assert await page.evaluate("window.untouched") is True


@pytest.mark.browser
async def test_staff_answers_assigns_and_tags_a_ticket(desktop: Window, desk: Desk) -> None:
    page = desktop.page
    ticket = await open_ticket(desk, clock.now())
    async with transaction() as session:
        team = await teams.create_team(session, desk.organization_id, "Second level", {desk.agent.user_id})
    await desktop.open("/")
    await desktop.sign_in(desk.agent)
    await page.focus("#tickets .row")
    await page.keyboard.press("Enter")
    await page.fill("#reply textarea", "We look into it.")
    await page.select_option("[name=visibility]", "internal")
    await page.click("#reply [type=submit]")
    await expect(page.locator(".message.internal .body")).to_have_text("We look into it.")

    await page.fill("[name=tag]", "vip")
    await page.click("#tag [type=submit]")
    await expect(page.locator("#tag .tag")).to_contain_text("vip")
    await page.click("[aria-label='Take vip off']")
    await expect(page.locator("#tag .tag")).to_have_count(0)

    await page.select_option("[name=priority]", "urgent")
    await page.select_option("[name=teamId]", team.id)
    # Meanwhile somebody else changes what this form shows but does not touch.
    await patch(desk, ticket, clock.now() + timedelta(seconds=1), status="pending")
    await page.click("form[data-only] [type=submit]")
    await expect(page.locator("#tickets .tag.urgent")).to_be_visible()
    async with transaction() as session:
        changed = await session.get_one(Ticket, ticket.id)
        (_, said) = await tickets.get_messages(session, desk.agent, ticket.id)
    assert (changed.priority, changed.team_id, changed.status) == ("urgent", team.id, "pending")
    assert (said.visibility, changed.tags) == (Visibility.INTERNAL, [])


@pytest.mark.browser
async def test_preferences_and_the_password_are_changed(desktop: Window, desk: Desk) -> None:
    page = desktop.page
    await desktop.open("/preferences")
    await desktop.sign_in(desk.customer)
    await page.uncheck("[aria-label='new message by e-mail']")
    await page.fill("[name='quietHours.starts']", "22:00")
    await page.fill("[name='quietHours.ends']", "07:00")
    await page.fill("[name='quietHours.timeZone']", "Nowhere")
    await page.click("#preferences [type=submit]")
    await expect(page.locator("[name='quietHours.timeZone'][aria-invalid]")).to_be_focused()
    await page.fill("[name='quietHours.timeZone']", "")
    await page.click("#preferences [type=submit]")
    await expect(page.locator("#preferences .said")).to_have_text("Saved.")
    await page.reload()
    assert not await page.is_checked("[aria-label='new message by e-mail']")
    assert await page.input_value("[name='quietHours.starts']") == "22:00"
    for name in ("starts", "ends"):
        await page.fill(f"[name='quietHours.{name}']", "")
    await page.click("#preferences [type=submit]")
    await expect(page.locator("#preferences .said")).to_have_text("Saved.")
    await page.reload()
    assert await page.input_value("[name='quietHours.starts']") == ""

    await page.fill("[name=current]", "not it")
    await page.fill("[name=password]", "battery staple")
    await page.click("form[action$=password] [type=submit]")
    await expect(page.locator("form[action$=password] .problem:not(:empty)")).to_be_visible()
    desktop.troubles.clear()
    await page.fill("[name=current]", "correct horse")
    async with page.expect_navigation():
        await page.click("form[action$=password] [type=submit]")
    await page.click("#logout")
    await page.wait_for_selector("#login")
    await page.fill("input[name=email]", desk.customer.email)
    await page.fill("input[name=password]", "battery staple")
    await page.click("button[type=submit]")
    await page.wait_for_selector("#logout")


@pytest.mark.browser
async def test_a_template_is_previewed_wide_narrow_as_text_light_and_dark(
    desktop: Window, desk: Desk
) -> None:
    page = desktop.page
    await desktop.open("/mail/templates/daily_digest")
    await desktop.sign_in(desk.admin)
    colours = []
    for scheme in ("light", "dark"):
        await page.click(f"[data-scheme={scheme}]")
        for tab, width in (("desk", 600), ("phone", 388)):
            await page.click(f"[data-tab={tab}]")
            frame = page.frame_locator(f"[data-pane={tab}]")
            meta = frame.locator("meta[name=color-scheme]")
            await expect(meta).to_have_attribute("content", scheme)
            await expect(frame.locator("h1")).to_contain_text("Your digest of")
            body = frame.locator("body")
            shown: int = await body.evaluate("body => body.clientWidth")
            assert shown >= width if tab == "desk" else shown <= width
            colours.append(await body.evaluate("body => getComputedStyle(body).backgroundColor"))
    assert colours[0] == colours[1]
    assert colours[2] == colours[3]
    assert colours[0] != colours[2]
    await page.click("[data-tab=text]")
    await expect(page.locator("pre")).to_contain_text("Opened: 14")


async def test_what_the_desk_looks_at_each_second_does_not_grow_with_the_desk(desk: Desk) -> None:
    """The state changes with what is shown, by one statement."""
    states = []
    ticket = await open_ticket(desk, clock.now())

    async def look() -> None:
        async with counted() as statements, transaction() as session:
            states.append(await queries.fingerprint(session, desk.agent))
        assert len([statement for statement in statements if "SELECT" in statement]) == 1

    await look()
    await say(desk, ticket, clock.now(), staff=True)
    await look()
    await patch(desk, ticket, clock.now() + timedelta(seconds=1), status="pending")
    await look()
    assert len(set(states)) == 3
