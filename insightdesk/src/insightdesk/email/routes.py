"""REST of mail: what a person wants, whom nothing is sent to, how the providers stand; and their webhook."""

from __future__ import annotations

from fastapi import APIRouter, Request

from insightdesk.accounts import service as accounts
from insightdesk.accounts.access import CurrentAdmin, CurrentPrincipal
from insightdesk.accounts.service import Principal
from insightdesk.database import transaction
from insightdesk.email import preferences, service, suppressions, webhook
from insightdesk.email.kinds import Channel
from insightdesk.email.models import SuppressionReason
from insightdesk.email.schemas import (
    ChoiceView,
    PreferencesInput,
    PreferencesView,
    ProviderView,
    QuietHoursView,
    ReceivedView,
    SuppressionInput,
    SuppressionView,
)
from insightdesk.kit import clock
from insightdesk.kit.envelope import Envelope, ok
from insightdesk.kit.errors import NotFound
from insightdesk.kit.pagination import Page, PageQuery
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone

router = APIRouter(tags=["mail"])


async def preferences_of(principal: Principal) -> PreferencesView:
    """What the person wants, as others see it."""
    async with transaction() as session:
        wanted = await preferences.choices(session, principal.user_id)
        hours = await preferences.quiet_hours(session, principal.user_id)
    return PreferencesView(
        choices=[
            ChoiceView(type=type_, email=channels[Channel.EMAIL], in_app=channels.get(Channel.IN_APP))
            for type_, channels in wanted.items()
        ],
        quiet_hours=QuietHoursView.model_validate(hours) if hours else None,
    )


@router.get("/api/mail/preferences")
async def get_preferences(principal: CurrentPrincipal) -> Envelope[PreferencesView]:
    """What you want to be told, by which way, and your quiet hours."""
    return ok(await preferences_of(principal))


@router.put("/api/mail/preferences")
async def put_preferences(body: PreferencesInput, principal: CurrentPrincipal) -> Envelope[PreferencesView]:
    """Change what you want to be told."""
    wanted = {
        (choice.type, channel): value
        for choice in body.choices
        for channel, value in ((Channel.EMAIL, choice.email), (Channel.IN_APP, choice.in_app))
        if value is not None
    }
    async with transaction() as session:
        await preferences.choose(session, principal.organization_id, principal.user_id, wanted)
        if "quiet_hours" in body.model_fields_set:
            hours = body.quiet_hours
            await preferences.set_quiet_hours(
                session,
                principal.organization_id,
                principal.user_id,
                (hours.starts, hours.ends, hours.time_zone) if hours else None,
            )
        accounts.audit(session, principal, "mail.preferences", "user", principal.user_id)
    return ok(await preferences_of(principal))


@router.get("/admin/mail/suppressions")
async def list_suppressions(admin: CurrentAdmin, page: PageQuery) -> Envelope[Page[SuppressionView]]:
    """The addresses to which nothing is sent, newest first."""
    async with transaction() as session:
        found, total = await suppressions.listed(session, admin.organization_id, page)
        items = [SuppressionView.model_validate(row) for row in found]
    return ok(Page(items=items, total=total, page=page.page, page_size=page.page_size))


@router.post("/admin/mail/suppressions", status_code=201)
async def add_suppression(body: SuppressionInput, admin: CurrentAdmin) -> Envelope[SuppressionView]:
    """Send nothing more to an address."""
    async with transaction() as session:
        await suppressions.suppress(session, admin.organization_id, body.address, SuppressionReason.MANUAL)
        row = await suppressions.suppression(session, admin.organization_id, body.address)
        if row is None:
            raise NotFound("the address was taken off the list in this moment")
        accounts.audit(session, admin, "mail.suppressed", "address", row.id)
        return ok(SuppressionView.model_validate(row))


@router.delete("/admin/mail/suppressions/{suppression_id}")
async def remove_suppression(suppression_id: str, admin: CurrentAdmin) -> Envelope[None]:
    """Send to an address again."""
    async with transaction() as session:
        await suppressions.release(session, admin.organization_id, suppression_id)
        accounts.audit(session, admin, "mail.released", "address", suppression_id)
    return ok(None)


@router.post("/admin/emails/{delivery_id}/send", status_code=202)
async def send_again(delivery_id: str, admin: CurrentAdmin) -> Envelope[None]:
    """Take up a failed mail once more. One that may have arrived is sent again at most once."""
    async with transaction() as session:
        await service.queue_again(session, admin.organization_id, delivery_id, clock.now())
        accounts.audit(session, admin, "mail.sent_again", "delivery", delivery_id)
    return ok(None)


@router.get("/admin/mail/providers")
async def list_providers(_: CurrentAdmin) -> Envelope[list[ProviderView]]:
    """How the configured providers stand, in the order in which they are tried."""
    now = clock.now()
    async with transaction() as session:
        found = await service.provider_statuses(session)
    return ok(
        [
            ProviderView(
                name=each.name,
                rate=each.rate,
                open=each.open_at(now),
                open_until=each.state.open_until,
                failures=each.state.failures,
                last_error=each.last_error,
                last_error_at=each.last_error_at,
            )
            for each in found
        ]
    )


@router.post("/webhooks/resend")
async def resend_webhook(request: Request) -> Envelope[ReceivedView]:
    """Resend tells of bounces and complaints. Needs its signature."""
    secret = get_settings().resend_webhook_secret
    if secret is None:
        raise NotFound("no webhook is set up: INSIGHTDESK_RESEND_WEBHOOK_SECRET is missing")
    call = webhook.verify(secret.get_secret_value(), request.headers, await request.body(), clock.now())
    with everyone():
        async with transaction() as session:
            new = await webhook.receive(session, call, clock.now())
    return ok(ReceivedView(repeated=not new))
