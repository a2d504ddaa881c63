"""One delivery row a mail, and at most one mail a delivery.

`queued -> sending -> sent | refused | failed`, or `suppressed`. A failed delivery is taken up again by the
job's next try. Each try claims the row, writes down the moment from which on its fate is open, sends, and
writes down the outcome; what a crash or a lost answer left behind is decided by `fate`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

import toril
from insightdesk.database import transaction
from insightdesk.email import repository, states
from insightdesk.email.composing import mail_domain
from insightdesk.email.fate import Step, plan
from insightdesk.email.kinds import Channel
from insightdesk.email.models import Delivery, DeliveryState, SuppressionReason
from insightdesk.email.preferences import opted_out, silent_until
from insightdesk.email.providers import (
    FateUnknown,
    OutgoingMail,
    PermanentRefusal,
    Provider,
    ProviderBusy,
    ProviderDown,
    TransientFailure,
    configured_providers,
)
from insightdesk.email.registry import find
from insightdesk.email.suppressions import suppress, suppression
from insightdesk.kit import clock
from insightdesk.settings import get_settings

__all__ = ["deliver"]

_log = structlog.get_logger(__name__)

_GIVE_UP = timedelta(days=2)  # a mail that no provider took by then is of no use any more

# Seconds for which the queue rests at least when the rate is used up: what is under way has its slots.
_PAUSE = 0.5


@dataclass(frozen=True)
class _Claim:
    """A try that this run alone may make.

    Attributes:
        attempt: the delivery's count of tries, which proves that no other run has taken over.
        step: `SEND`, `ASK` or `SEND_AGAIN`.
        after: seconds until its slot in the provider's rate.
    """

    delivery: Delivery
    provider: Provider
    attempt: int
    step: Step
    after: float


async def deliver(delivery_id: str) -> None:
    """Hands one stored mail to the first provider that takes it, unless that was done before.

    Raises:
        toril.Fail: it will never be taken, or its fate is for a person to decide.
        toril.Snooze: every provider's circuit is open, or the person has quiet hours.
        toril.RateLimited: we are too fast for the provider.
        TransientFailure: it was not taken this time.
        FateUnknown: nobody knows; the next try asks.
    """
    providers = configured_providers(get_settings())
    tried: set[str] = set()
    while (claim := await _claim(delivery_id, providers, tried)) is not None:
        try:
            await _send(claim)
        except ProviderDown as failure:
            tried.add(claim.provider.name)
            last = claim.step is not Step.SEND or len(tried) == len(providers)
            if last:
                await _wait_if_open(claim.provider)
                raise
            _log.warning("provider down, the next is tried", provider=claim.provider.name, error=str(failure))
        else:
            return


async def _claim(delivery_id: str, providers: Sequence[Provider], tried: Collection[str]) -> _Claim | None:
    """Takes the delivery for one try; None if nothing is left to do."""
    now = clock.now()
    async with transaction() as session:
        delivery = await repository.lock(session, delivery_id)
        if delivery is None:
            raise toril.Fail("there is no such delivery")
        if delivery.state in (DeliveryState.SENT, DeliveryState.SUPPRESSED):
            return None
        if delivery.state is DeliveryState.REFUSED:
            raise toril.Fail(f"refused before: {delivery.error}")
        reason = await _unwanted(session, delivery)
        if reason is not None:
            delivery.state, delivery.error = DeliveryState.SUPPRESSED, reason
            return None
        await _respect_quiet_hours(session, delivery, now)
        pinned = next((each for each in providers if each.name == delivery.provider), None)
        decided = plan(
            handed_over_at=delivery.handed_over_at,
            extra_sends=delivery.extra_sends,
            cut_off=delivery.state is DeliveryState.SENDING,
            known=pinned is not None,
            remembers=pinned.remembers if pinned else None,
            timeout=pinned.timeout if pinned else 0.0,
            now=now,
        )
        if decided.step is Step.WAIT:
            raise toril.Snooze(decided.seconds, "an earlier try may still be under way")
        if decided.step is not Step.UNDECIDED:
            candidates = [pinned] if pinned and decided.step is not Step.SEND else providers
            waits: list[float] = []
            for provider in candidates:
                if provider.name in tried:
                    continue
                verdict = await states.ask(session, provider, now)
                if verdict.busy_for:
                    raise toril.RateLimited(max(verdict.busy_for, _PAUSE), "the provider's rate is kept")
                if verdict.go:
                    delivery.state = DeliveryState.SENDING
                    delivery.attempts += 1
                    delivery.provider = provider.name
                    return _Claim(delivery, provider, delivery.attempts, decided.step, verdict.after)
                waits.append(verdict.open_for)
            if now - delivery.created_at < _GIVE_UP:
                raise _pause(min(waits, default=30.0))
            delivery.error = "no provider took it within two days"
        else:
            delivery.error = f"{delivery.provider} may have taken it, and cannot be asked: a person decides"
        delivery.state = DeliveryState.FAILED
        reason = delivery.error
    raise toril.Fail(reason)


async def _unwanted(session: AsyncSession, delivery: Delivery) -> str | None:
    """Why the mail is not to be sent at all."""
    listed = await suppression(session, delivery.organization_id, delivery.recipient)
    if listed is not None:
        return f"the address is on the suppression list: {listed.reason.value}"
    user = delivery.user_id if find(delivery.template).optional else None
    if user is not None and await opted_out(session, [user], delivery.template, Channel.EMAIL):
        return "the person does not want mails of this kind"
    return None


async def _respect_quiet_hours(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    if delivery.user_id is None or find(delivery.template).urgent or not find(delivery.template).optional:
        return
    until = await silent_until(session, delivery.user_id, now)
    if until is not None:
        raise toril.Snooze((until - now).total_seconds(), "the person has quiet hours")


async def _send(claim: _Claim) -> None:
    """Makes one try and writes down its outcome."""
    if claim.after:
        await asyncio.sleep(claim.after)
    asked = claim.step is not Step.SEND  # the fate of an earlier try is open and stays so until it is told

    async def handing_over() -> None:
        async with transaction() as session:
            again = claim.step is Step.SEND_AGAIN
            if not await repository.hand_over(
                session, claim.delivery.id, claim.attempt, clock.now(), again=again
            ):
                raise toril.Snooze(claim.provider.timeout, "another run has taken over this mail")

    try:
        provider_id = await claim.provider.send(_outgoing(claim.delivery), handing_over)
    except PermanentRefusal as refusal:
        async with transaction() as session:
            await _settle(session, claim, DeliveryState.REFUSED, str(refusal))
            await states.record_success(session, claim.provider.name)
            if refusal.bad_address:
                await suppress(
                    session,
                    claim.delivery.organization_id,
                    claim.delivery.recipient,
                    SuppressionReason.BOUNCE,
                    str(refusal),
                )
        raise toril.Fail(f"refused for good: {refusal}") from refusal
    except ProviderBusy as busy:
        async with transaction() as session:
            await _settle(session, claim, DeliveryState.QUEUED, str(busy), fate_open=asked)
            await states.record_hold(session, claim.provider.name, busy.retry_in, clock.now())
        raise toril.RateLimited(busy.retry_in, str(busy)) from busy
    except (ProviderDown, FateUnknown) as failure:
        fate_open = asked or isinstance(failure, FateUnknown)
        async with transaction() as session:
            await _settle(session, claim, DeliveryState.FAILED, str(failure), fate_open=fate_open)
            await states.record_failure(session, claim.provider.name, str(failure), clock.now())
        if isinstance(failure, FateUnknown) and claim.provider.remembers is None:
            raise toril.Fail(f"{failure}; it is not sent again unasked") from failure
        raise
    except TransientFailure as failure:
        async with transaction() as session:
            await _settle(session, claim, DeliveryState.FAILED, str(failure), fate_open=asked)
            await states.record_success(session, claim.provider.name)
        raise
    async with transaction() as session:
        await repository.settle_sent(session, claim.delivery.id, clock.now(), provider_id)
        await states.record_success(session, claim.provider.name)
    _log.info(
        "mail sent",
        delivery=claim.delivery.id,
        template=claim.delivery.template,
        provider=claim.provider.name,
        step=claim.step.name.lower(),
    )


async def _settle(
    session: AsyncSession, claim: _Claim, state: DeliveryState, error: str, *, fate_open: bool = False
) -> None:
    await repository.settle(session, claim.delivery.id, claim.attempt, state, error, fate_open=fate_open)


async def _wait_if_open(provider: Provider) -> None:
    """No attempt is spent on a provider that is known to be down."""
    now = clock.now()
    async with transaction() as session:
        status = (await states.statuses(session, [provider]))[0]
    if status.open_at(now) and status.state.open_until is not None:
        raise _pause((status.state.open_until - now).total_seconds())


def _pause(seconds: float) -> toril.Snooze:
    # A little apart, so that what waited does not come back all at once.
    return toril.Snooze(seconds * random.uniform(1.0, 1.1), "no provider takes mails now")


def _outgoing(delivery: Delivery) -> OutgoingMail:
    thread = None if delivery.ticket_id is None else f"ticket-{delivery.ticket_id}@{mail_domain()}"
    return OutgoingMail(
        message_id=delivery.message_id,
        sender=get_settings().email_from,
        to=delivery.recipient,
        subject=delivery.subject,
        html=delivery.html,
        text=delivery.text,
        key=f"delivery/{delivery.id}",
        thread_id=thread,
        unsubscribe_url=delivery.unsubscribe_url,
    )
