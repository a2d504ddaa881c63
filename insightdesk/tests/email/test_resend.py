"""The Resend provider against a server that speaks its API, and beside its own SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest
import resend
from resend_double import KEY, Answer, ResendDouble, error, resend_double
from scripted import use

import toril
from insightdesk.email.delivery import deliver
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.email.providers import (
    FateUnknown,
    InvalidMailUrl,
    OutgoingMail,
    PermanentRefusal,
    ProviderBusy,
    ProviderDown,
    ResendProvider,
    providers_from_urls,
)

MAIL = OutgoingMail(
    message_id="d1@example.com",
    sender="Desk <desk@example.com>",
    to="Ann <ann@example.com>",
    subject="Hällo",
    html="<p>hi</p>",
    text="hi\n",
    key="delivery/d1",
    thread_id="ticket-1@example.com",
    unsubscribe_url="https://desk.example/mail/stop/x",
)


@pytest.fixture
def api() -> Iterator[ResendDouble]:
    with resend_double() as double:
        yield double


def provider(api: ResendDouble, timeout: float = 5.0) -> ResendProvider:
    return ResendProvider(KEY, api.url, timeout=timeout)


async def handed() -> None:
    """Nobody notes it."""


async def test_the_request_is_the_one_that_the_sdk_makes(
    api: ResendDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = await provider(api).send(MAIL, handed)
    monkeypatch.setattr(resend, "api_key", KEY)
    monkeypatch.setattr(resend, "api_url", api.url)
    theirs = resend.Emails.send(
        {
            "from": "Desk <desk@example.com>",
            "to": ["Ann <ann@example.com>"],
            "subject": "Hällo",
            "html": "<p>hi</p>",
            "text": "hi\n",
            "headers": {
                "Message-ID": "<d1@example.com>",
                "Auto-Submitted": "auto-generated",
                "X-Auto-Response-Suppress": "All",
                "In-Reply-To": "<ticket-1@example.com>",
                "References": "<ticket-1@example.com>",
                "List-Unsubscribe": "<https://desk.example/mail/stop/x>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        },
        {"idempotency_key": "delivery/d1"},
    )
    assert ours == theirs["id"]
    (path, headers, body), (sdk_path, sdk_headers, sdk_body) = api.requests
    assert (path, body) == (sdk_path, sdk_body)
    for name in ("authorization", "idempotency-key", "content-type"):
        assert headers[name] == sdk_headers[name]
    assert len(api.mails) == 1


@pytest.mark.parametrize(
    ("answer", "wrong", "word"),
    [
        (Answer(422, error(422, "validation_error", "Invalid `to` field")), PermanentRefusal, "Invalid"),
        (Answer(400, error(400, "validation_error", "no")), PermanentRefusal, "400"),
        (Answer(429, error(429, "rate_limit_exceeded", "slow"), {"Retry-After": "3"}), ProviderBusy, "429"),
        (Answer(429, error(429, "daily_quota_exceeded", "enough")), ProviderDown, "daily_quota"),
        (Answer(500, error(500, "application_error", "oops")), ProviderDown, "500"),
        (Answer(503, b"<html>"), ProviderDown, "503"),
        (Answer(504, b"<html>"), FateUnknown, "504"),
        (Answer(403, error(403, "invalid_api_key", "no")), ProviderDown, "403"),
        (Answer(409, error(409, "concurrent_idempotent_requests", "wait")), FateUnknown, "under way"),
        (Answer(200, b"not json"), FateUnknown, "cannot be read"),
        (Answer(200, {"unexpected": 1}), FateUnknown, "cannot be read"),
        (Answer(cuts=True, takes=True), FateUnknown, "lost"),
    ],
)
async def test_each_documented_answer_is_sorted(
    api: ResendDouble, answer: Answer, wrong: type[Exception], word: str
) -> None:
    api.plan.append(answer)
    with pytest.raises(wrong, match=word) as caught:
        await provider(api).send(MAIL, handed)
    assert type(caught.value) is wrong
    if isinstance(caught.value, ProviderBusy):
        assert caught.value.retry_in == 3.0


async def test_a_wrong_key_is_the_providers_trouble(api: ResendDouble) -> None:
    with pytest.raises(ProviderDown, match="401"):
        await ResendProvider("re_wrong", api.url).send(MAIL, handed)


async def test_a_server_that_is_away_has_taken_nothing() -> None:
    with resend_double() as gone:
        pass
    with pytest.raises(ProviderDown, match="cannot be reached"):
        await provider(gone).send(MAIL, handed)


async def test_a_known_key_with_other_words_was_sent_before(api: ResendDouble) -> None:
    await provider(api).send(MAIL, handed)
    changed = OutgoingMail(**{**MAIL.__dict__, "sender": "Other <desk@example.com>"})
    assert await provider(api).send(changed, handed) is None
    assert len(api.mails) == 1


async def test_taken_and_then_silent_is_one_mail(
    api: ResendDouble,
    staged: Callable[..., Awaitable[str]],
    reload: Callable[[str], Awaitable[Delivery]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, provider(api, timeout=0.3))
    api.plan.append(Answer(takes=True, hangs=0.6))
    mail = await staged()
    with pytest.raises(FateUnknown, match="lost"):
        await deliver(mail)
    await deliver(mail)
    found = await reload(mail)
    assert found.state is DeliveryState.SENT
    assert [known["id"] for known in api.mails.values()] == [found.provider_message_id]
    assert len(api.requests) == 2


async def test_a_hang_is_no_mail_until_it_is_asked_again(
    api: ResendDouble, staged: Callable[..., Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, provider(api, timeout=0.3))
    api.plan.append(Answer(504, b"", hangs=0.6))
    mail = await staged()
    with pytest.raises(FateUnknown):
        await deliver(mail)
    assert api.mails == {}
    await deliver(mail)
    assert len(api.mails) == 1


async def test_too_fast_holds_all_mails_as_long_as_resend_says(
    api: ResendDouble, staged: Callable[..., Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, provider(api))
    api.plan.append(Answer(429, error(429, "rate_limit_exceeded", "slow"), {"Retry-After": "9"}))
    with pytest.raises(toril.RateLimited) as limited:
        await deliver(await staged())
    assert limited.value.retry_in == 9.0
    with pytest.raises(toril.RateLimited):
        await deliver(await staged())
    assert len(api.requests) == 1


def test_urls() -> None:
    (made,) = providers_from_urls("resend:", "re_key")
    assert isinstance(made, ResendProvider)
    assert (made.api_key, made.base_url, made.rate) == ("re_key", "https://api.resend.com", 2.0)
    (made,) = providers_from_urls("resend://re_url@eu.resend.example?rate=10&timeout=3")
    assert made == ResendProvider("re_url", "https://eu.resend.example", timeout=3.0, rate=10.0)
    assert "re_url" not in repr(made)
    names = [each.name for each in providers_from_urls("resend:, smtp://mx.example:2525,local:", "k")]
    assert names == ["resend:api.resend.com", "smtp://mx.example:2525", "local"]
    for wrong in ("resend:", "resend://k@h?burst=3", "resend://k@h?rate=0", "local:,local:", "pigeon:"):
        with pytest.raises(InvalidMailUrl):
            providers_from_urls(wrong)
