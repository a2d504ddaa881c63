"""At most one mail a delivery, whatever becomes of a try; on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from desks import Desk
from scripted import Scripted, use
from sqlalchemy import select

import toril
from insightdesk.database import transaction
from insightdesk.email import producing
from insightdesk.email.delivery import deliver
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers import (
    FateUnknown,
    PermanentRefusal,
    ProviderBusy,
    ProviderDown,
    TransientFailure,
)
from insightdesk.email.suppressions import suppression
from insightdesk.kit import clock

Stage = Callable[..., Awaitable[str]]
Reload = Callable[[str], Awaitable[Delivery]]
Change = Callable[..., Awaitable[None]]
DAY = timedelta(days=1)


async def test_a_job_that_runs_again_sends_no_second_mail(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted()
    use(monkeypatch, provider)
    mail = await staged()
    for _ in range(3):
        await deliver(mail)
    assert len(provider.sent) == 1
    found = await reload(mail)
    assert (found.state, found.attempts, found.provider) == (DeliveryState.SENT, 1, provider.name)
    assert found.provider_message_id == "id-1"
    assert provider.sent[0].message_id == found.message_id == f"{mail}@insightdesk.app"


async def test_a_transient_failure_is_tried_again(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([TransientFailure("451 later")])
    use(monkeypatch, provider)
    mail = await staged()
    with pytest.raises(TransientFailure):
        await deliver(mail)
    found = await reload(mail)
    assert (found.state, found.error, found.handed_over_at) == (DeliveryState.FAILED, "451 later", None)
    await deliver(mail)
    assert len(provider.sent) == 1
    found = await reload(mail)
    assert (found.state, found.error, found.attempts) == (DeliveryState.SENT, None, 2)


async def test_a_refusal_is_for_good(staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Scripted([PermanentRefusal("550 no")])
    use(monkeypatch, provider)
    mail = await staged()
    for _ in range(2):
        with pytest.raises(toril.Fail, match="550"):
            await deliver(mail)
    assert provider.tries == 1
    assert (await reload(mail)).state is DeliveryState.REFUSED


async def test_a_bad_address_is_written_to_no_more(
    staged: Stage, reload: Reload, desk: Desk, other_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Scripted([PermanentRefusal("5.1.1 no such person", bad_address=True)]))
    with pytest.raises(toril.Fail):
        await deliver(await staged())
    second = await staged()
    await deliver(second)
    found = await reload(second)
    assert found.state is DeliveryState.SUPPRESSED
    assert "bounce" in (found.error or "")
    async with transaction() as session:
        assert await suppression(session, other_desk.organization_id, desk.agent.email) is None


async def test_a_mail_goes_to_the_next_provider_while_the_first_is_down(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Scripted([ProviderDown("away")] * 9, before=True), Scripted()
    use(monkeypatch, first, second)
    for _ in range(5):
        mail = await staged()
        await deliver(mail)
        assert (await reload(mail)).provider == second.name
    # The circuit opened after three errors: the fourth mail did not try it.
    assert (first.tries, len(second.sent)) == (3, 5)


async def test_while_the_circuit_is_open_no_attempt_is_spent(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([ProviderDown("away")] * 9, before=True)
    use(monkeypatch, provider)
    mail = await staged()
    for _ in range(2):
        with pytest.raises(ProviderDown):
            await deliver(mail)
    for _ in range(4):
        with pytest.raises(toril.Snooze) as snoozed:
            await deliver(mail)
        assert 20 < snoozed.value.delay < 35
    assert provider.tries == 3
    assert (await reload(mail)).attempts == 3


async def test_the_circuit_is_tried_with_one_mail_and_closes(
    staged: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([ProviderDown("away")] * 3, before=True)
    use(monkeypatch, provider)
    mail = await staged()
    for _ in range(3):
        with pytest.raises((ProviderDown, toril.Snooze)):
            await deliver(mail)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=31))
    await deliver(mail)
    await deliver(await staged())
    assert provider.tries == 5


async def test_a_mail_is_given_up_after_two_days(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([ProviderDown("away")] * 9, before=True)
    use(monkeypatch, provider)
    mail = await staged()
    for _ in range(3):
        with pytest.raises((ProviderDown, toril.Snooze)):
            await deliver(mail)
    long_ago = clock.now() - 3 * DAY
    async with transaction() as session:
        (await session.get_one(Delivery, mail)).created_at = long_ago
    with pytest.raises(toril.Fail, match="two days"):
        await deliver(mail)
    assert (await reload(mail)).state is DeliveryState.FAILED


async def test_a_provider_that_is_busy_holds_the_queue(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([ProviderBusy(7.0, "429 too fast")])
    use(monkeypatch, provider)
    mail = await staged()
    with pytest.raises(toril.RateLimited) as limited:
        await deliver(mail)
    assert limited.value.retry_in == 7.0
    assert (await reload(mail)).state is DeliveryState.QUEUED
    # Every process keeps it: the next mail is not even tried.
    with pytest.raises(toril.RateLimited):
        await deliver(await staged())
    assert provider.tries == 1


async def test_a_lost_answer_is_asked_for_under_the_same_key(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([FateUnknown("hung up")], remembers=DAY)
    other = Scripted()
    use(monkeypatch, provider, other)
    mail = await staged()
    with pytest.raises(FateUnknown):
        await deliver(mail)
    assert (await reload(mail)).handed_over_at is not None
    await deliver(mail)
    assert other.tries == 0
    found = await reload(mail)
    assert (found.state, found.extra_sends, found.handed_over_at) == (DeliveryState.SENT, 0, None)
    assert provider.sent[0].key == f"delivery/{mail}"


async def test_what_the_provider_has_forgotten_is_for_a_person(
    staged: Stage, reload: Reload, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted(remembers=DAY)
    use(monkeypatch, provider)
    mail = await staged()
    await change(
        mail,
        state=DeliveryState.SENDING,
        provider=provider.name,
        handed_over_at=clock.now() - DAY - timedelta(minutes=1),
    )
    with pytest.raises(toril.Fail, match="a person decides"):
        await deliver(mail)
    assert provider.tries == 0
    assert (await reload(mail)).state is DeliveryState.FAILED


async def test_a_lost_answer_of_smtp_sends_no_second_mail_by_itself(
    staged: Stage, reload: Reload, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([FateUnknown("time-out after DATA")])
    use(monkeypatch, provider)
    mail = await staged()
    with pytest.raises(toril.Fail, match="not sent again"):
        await deliver(mail)
    assert provider.tries == 1
    found = await reload(mail)
    assert found.state is DeliveryState.FAILED
    assert found.handed_over_at is not None


async def test_a_crash_before_the_hand_over_costs_no_extra_mail(
    staged: Stage, reload: Reload, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted()
    use(monkeypatch, provider)
    mail = await staged()
    await change(mail, state=DeliveryState.SENDING, provider="another", attempts=1)
    await deliver(mail)
    found = await reload(mail)
    assert (found.state, found.extra_sends, len(provider.sent)) == (DeliveryState.SENT, 0, 1)


async def test_a_crash_in_the_send_window_costs_at_most_one_counted_extra_mail(
    staged: Stage, reload: Reload, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted()
    use(monkeypatch, provider)
    mail = await staged()
    left = {"state": DeliveryState.SENDING, "provider": provider.name, "attempts": 1}
    await change(mail, **left, handed_over_at=clock.now())
    with pytest.raises(toril.Snooze, match="under way"):
        await deliver(mail)
    assert provider.tries == 0
    await change(mail, **left, handed_over_at=clock.now() - timedelta(seconds=31))
    await deliver(mail)
    found = await reload(mail)
    assert (found.state, found.extra_sends, len(provider.sent)) == (DeliveryState.SENT, 1, 1)
    assert provider.sent[0].message_id == found.message_id
    # The same crash again: the promise is one extra mail, so a person decides.
    await change(mail, **left, handed_over_at=clock.now() - timedelta(seconds=31))
    with pytest.raises(toril.Fail, match="a person decides"):
        await deliver(mail)
    assert len(provider.sent) == 1


async def test_a_run_that_was_overtaken_hands_nothing_over(
    staged: Stage, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = await staged()

    class Frozen(Scripted):
        async def send(self, outgoing, handing_over):  # type: ignore[no-untyped-def]
            await change(mail, attempts=9)  # what another run does while this one is frozen
            return await super().send(outgoing, handing_over)

    provider = Frozen()
    use(monkeypatch, provider)
    with pytest.raises(toril.Snooze, match="taken over"):
        await deliver(mail)
    assert provider.sent == []


async def test_distinct_jobs_send_distinct_mails(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Scripted()
    use(monkeypatch, provider)
    for number in range(2):
        await producing.send_generic(
            f"{desk.organization_id}{number}", desk.agent.email, "hello", "generic", {"body": "the same"}
        )
    assert len(provider.sent) == 2


async def test_data_that_do_not_fit_a_template_fail_at_once(desk: Desk) -> None:
    with pytest.raises(toril.Fail, match="do not fit"):
        await producing.send_generic("k", desk.agent.email, "hello", "sla_breach", {})


async def test_an_unknown_template_is_refused_clearly(desk: Desk) -> None:
    with pytest.raises(toril.Fail, match="no mail template 'nonsense'; known are"):
        await producing.send_generic("k", desk.agent.email, "hello", "nonsense", {})


async def test_an_address_that_no_organization_knows_is_refused(desk: Desk, other_desk: Desk) -> None:
    with pytest.raises(toril.Fail, match="no organization knows"):
        await producing.send_generic("k", "stranger@x.example", "hello", "generic", {})


@pytest.mark.parametrize("to", ["a\0b@x.example", "\ud800@x.example"])
async def test_a_recipient_that_cannot_be_stored_is_refused_at_once(desk: Desk, to: str) -> None:
    with pytest.raises(toril.Fail, match="cannot be stored"):
        await producing.send_generic("k", to, "hello", "generic", {})


async def test_a_producer_may_name_the_organization(desk: Desk) -> None:
    to = f"stranger-{desk.organization_id}@x.example"
    await producing.send_generic(to, to, "hello", "generic", {}, desk.organization_id)
    async with transaction() as session:
        found = (await session.scalars(select(Delivery).where(Delivery.recipient == to))).one()
    assert found.organization_id == desk.organization_id
    with pytest.raises(toril.Fail, match="no organization"):
        await producing.send_generic(to, to, "hello", "generic", {}, "nobody")


async def test_each_of_several_recipients_has_a_mail_of_her_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Scripted([PermanentRefusal("550 one is refused")])
    use(monkeypatch, provider)
    slug = desk.organization_id
    to = f'"Ann, of Bücher" <a@{slug}.example>, b@bücher-{slug}.example'
    waiting = await producing.send_generic(slug, to, "hello", "generic", {}, slug)
    again = await producing.send_generic(slug, to, "hello", "generic", {}, slug)
    assert waiting == again
    with pytest.raises(toril.Fail):
        await deliver(waiting[0])
    await deliver(waiting[1])
    assert [mail.to for mail in provider.sent] == [f"b@bücher-{slug}.example"]
