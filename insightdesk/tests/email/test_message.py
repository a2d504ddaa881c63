"""Headers are encoded, and nobody can add one."""

from __future__ import annotations

import email
import email.policy

import pytest

from insightdesk.email.providers import OutgoingMail, PermanentRefusal
from insightdesk.email.providers.message import build


def outgoing(**changes: str) -> OutgoingMail:
    values = {
        "message_id": "d1@example.com",
        "sender": "Desk <desk@example.com>",
        "to": "ann@example.com",
        "subject": "Grüße",
        "html": "<p>hallo</p>",
        "text": "hallo\n",
        "key": "delivery/d1",
        "thread_id": "ticket-1@example.com",
    }
    return OutgoingMail(**{**values, **changes})


def test_headers_and_parts() -> None:
    parsed = email.message_from_bytes(build(outgoing()).as_bytes(), policy=email.policy.default)
    assert parsed["Subject"] == "Grüße"
    assert parsed["Message-ID"] == "<d1@example.com>"
    assert parsed["In-Reply-To"] == parsed["References"] == "<ticket-1@example.com>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize("breaker", ["\r\n", "\n", "\r", "\u2028", "\x85"])
def test_a_subject_cannot_start_a_header(breaker: str) -> None:
    wire = build(outgoing(subject=f"hello{breaker}Bcc: evil@example.com")).as_bytes()
    assert email.message_from_bytes(wire, policy=email.policy.default)["Bcc"] is None


@pytest.mark.parametrize(
    "to",
    [
        "ann@example.com\r\nBcc: evil@example.com",
        "ann@example.com, bob@example.com",
        "ann",
        "@example.com",
        "",
        "Ann\n <ann@example.com>",
        "ann\u200b@example.com",
        "ann@ex\u202eample.com",
        "ann@\uff45xample.com",
        "ann@example\u3002com",
        "\u0430nn@example.com",
        "ann@\ud800.com",
    ],
)
def test_a_bad_address_is_refused_for_good(to: str) -> None:
    with pytest.raises(PermanentRefusal):
        build(outgoing(to=to))


@pytest.mark.parametrize("field", ["subject", "to"])
@pytest.mark.parametrize("hostile", ["=?utf-8?q?=0D=0ABcc:_evil@example.com?=", "a\x00b", "\u202eabc"])
def test_hostile_names_and_subjects_stay_in_their_header(field: str, hostile: str) -> None:
    value = hostile if field == "subject" else f'"{hostile}" <ann@example.com>'
    try:
        wire = build(outgoing(**{field: value})).as_bytes()
    except PermanentRefusal:
        return
    parsed = email.message_from_bytes(wire, policy=email.policy.default)
    assert parsed["Bcc"] is None
    assert sorted(parsed.keys()) == sorted(build(outgoing()).keys())
