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
    ],
)
def test_a_bad_address_is_refused_for_good(to: str) -> None:
    with pytest.raises(PermanentRefusal):
        build(outgoing(to=to))
