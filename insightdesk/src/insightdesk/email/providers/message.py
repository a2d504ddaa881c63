"""From an outgoing mail to RFC 5322 bytes. Every header is set through the policy, which encodes it."""

from __future__ import annotations

import email.policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, getaddresses

from insightdesk.email.providers.base import OutgoingMail, PermanentRefusal
from insightdesk.email.rendering import clean_header

__all__ = ["address", "build"]


def address(value: str) -> Address:
    """A checked address, with or without a display name.

    Raises:
        PermanentRefusal: it is not one address, or it hides a line break or another control character.
    """
    if any(not character.isprintable() for character in value):
        raise PermanentRefusal("the address holds a control character")
    everyone = getaddresses([value])
    name, spec = everyone[0] if len(everyone) == 1 else ("", "")
    user, _, domain = spec.rpartition("@")
    if not user or not domain or "," in spec or " " in spec:
        raise PermanentRefusal(f"{value[:100]!r} is not a mail address")
    try:
        return Address(display_name=name, addr_spec=spec)
    except (ValueError, MessageError, IndexError) as error:
        raise PermanentRefusal(f"{value[:100]!r} is not a mail address") from error


def build(mail: OutgoingMail) -> EmailMessage:
    """The message with text first and HTML as its alternative."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = address(mail.sender)
    message["To"] = address(mail.to)
    message["Subject"] = clean_header(mail.subject)
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = f"<{mail.message_id}>"
    if mail.thread_id is not None:
        message["In-Reply-To"] = f"<{mail.thread_id}>"
        message["References"] = f"<{mail.thread_id}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message
