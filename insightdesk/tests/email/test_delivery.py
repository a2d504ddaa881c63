"""One delivery a job, on a real PostgreSQL."""

from __future__ import annotations

import pytest
from desks import Desk
from sqlalchemy import select

import toril
from insightdesk.database import transaction
from insightdesk.email import delivery as delivery_module
from insightdesk.email import producing
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers import OutgoingMail, PermanentRefusal, TransientFailure


class Scripted:
    """A provider that does what it is told, once for each word."""

    name = "scripted"

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.sent: list[OutgoingMail] = []

    async def send(self, mail: OutgoingMail) -> str:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.sent.append(mail)
        return "taken"


@pytest.fixture
def address(desk: Desk) -> str:
    return desk.agent.email


async def delivery(address: str) -> Delivery:
    async with transaction() as session:
        return (await session.scalars(select(Delivery).where(Delivery.recipient == address))).one()


def use(monkeypatch: pytest.MonkeyPatch, provider: Scripted) -> Scripted:
    monkeypatch.setattr(delivery_module, "provider_from_url", lambda _: provider)
    return provider


async def test_a_job_that_runs_again_sends_no_second_mail(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = use(monkeypatch, Scripted())
    for _ in range(3):
        await producing.send_welcome(address, "u1", address, "Ann")
    assert len(provider.sent) == 1
    found = await delivery(address)
    assert (found.state, found.attempts) == (DeliveryState.SENT, 1)
    assert provider.sent[0].message_id == found.message_id


async def test_distinct_jobs_send_distinct_mails(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = use(monkeypatch, Scripted())
    for number in range(2):
        await producing.send_generic(f"{address}{number}", address, "hello", "generic", {"body": "the same"})
    assert len(provider.sent) == 2


async def test_a_transient_failure_is_tried_again(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = use(monkeypatch, Scripted(TransientFailure("451 later")))
    with pytest.raises(TransientFailure):
        await producing.send_welcome(address, "u1", address, "Ann")
    assert (await delivery(address)).state is DeliveryState.FAILED
    await producing.send_welcome(address, "u1", address, "Ann")
    assert len(provider.sent) == 1
    found = await delivery(address)
    assert (found.state, found.error, found.attempts) == (DeliveryState.SENT, None, 2)


async def test_a_refusal_is_for_good(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = use(monkeypatch, Scripted(PermanentRefusal("550 no such person")))
    for _ in range(2):
        with pytest.raises(toril.Fail, match="550"):
            await producing.send_welcome(address, "u1", address, "Ann")
    assert provider.sent == []
    assert (await delivery(address)).state is DeliveryState.REFUSED


async def test_a_try_cut_off_in_mid_send_is_not_sent_blindly(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = use(monkeypatch, Scripted(OSError("connection lost after DATA")))
    with pytest.raises(OSError, match="after DATA"):
        await producing.send_welcome(address, "u1", address, "Ann")
    assert (await delivery(address)).state is DeliveryState.SENDING
    with pytest.raises(toril.Fail, match="cut off"):
        await producing.send_welcome(address, "u1", address, "Ann")
    assert provider.sent == []
    assert (await delivery(address)).state is DeliveryState.FAILED


async def test_data_that_do_not_fit_a_template_fail_at_once(address: str) -> None:
    with pytest.raises(toril.Fail, match="do not fit"):
        await producing.send_generic(address, address, "hello", "sla_breach", {})


async def test_an_unknown_template_is_refused_clearly(address: str) -> None:
    with pytest.raises(toril.Fail, match="no mail template 'nonsense'; known are"):
        await producing.send_generic(address, address, "hello", "nonsense", {})


async def test_an_address_that_no_organization_knows_is_refused(address: str, other_desk: Desk) -> None:
    with pytest.raises(toril.Fail, match="no organization knows"):
        await producing.send_generic(address, "stranger@x.example", "hello", "generic", {})


async def test_a_producer_may_name_the_organization(desk: Desk) -> None:
    to = f"stranger-{desk.organization_id}@x.example"
    await producing.send_generic(to, to, "hello", "generic", {}, desk.organization_id)
    assert (await delivery(to)).organization_id == desk.organization_id
    with pytest.raises(toril.Fail, match="no organization"):
        await producing.send_generic(to, to, "hello", "generic", {}, "nobody")
