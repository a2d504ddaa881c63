"""From an outgoing mail to RFC 5322 bytes. Every header is set through the policy, which encodes it."""

from __future__ import annotations

import email.policy
import re
import unicodedata
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, getaddresses

from insightdesk.email.providers.base import OutgoingMail, PermanentRefusal
from insightdesk.email.rendering import clean_header

__all__ = ["address", "build", "extra_headers"]

_DOTS = re.compile("[\\u3002\\uff0e\\uff61]")  # what IDNA takes for a dot beside the dot


def address(value: str) -> Address:
    """A checked address, with or without a display name; an international domain as ASCII.

    Raises:
        PermanentRefusal: it is not one address, hides a control or invisible character, has other than
            ASCII before the @, or a domain written with look-alikes (full-width letters and the like), which
            servers read differently.
    """
    if any(not character.isprintable() for character in value):
        raise PermanentRefusal("the address holds a control character")
    everyone = getaddresses([value])
    name, spec = everyone[0] if len(everyone) == 1 else ("", "")
    user, _, domain = spec.rpartition("@")
    if not user or not domain or "," in spec or " " in spec:
        raise PermanentRefusal(f"{value[:100]!r} is not a mail address")
    try:
        if unicodedata.normalize("NFKC", domain) != domain or _DOTS.search(domain):
            raise ValueError("look-alike characters")
        return Address(display_name=clean_header(name), addr_spec=f"{user}@{domain.encode('idna').decode()}")
    except (ValueError, MessageError, IndexError) as error:
        raise PermanentRefusal(f"{value[:100]!r} is not a mail address") from error


def extra_headers(mail: OutgoingMail) -> dict[str, str]:
    """The headers beside From, To, Subject, Date and Message-ID, by whatever way the mail leaves.

    Sources: RFC 3834 (Auto-Submitted), RFC 5322 3.6.4 (threads), RFC 2369 and RFC 8058 (List-Unsubscribe).
    """
    headers = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
    if mail.thread_id is not None:
        headers["In-Reply-To"] = headers["References"] = f"<{mail.thread_id}>"
    if mail.unsubscribe_url is not None:
        headers["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def build(mail: OutgoingMail) -> EmailMessage:
    """The message with text first and HTML as its alternative."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = address(mail.sender)
    message["To"] = address(mail.to)
    message["Subject"] = clean_header(mail.subject)
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = f"<{mail.message_id}>"
    for name, value in extra_headers(mail).items():
        message[name] = value
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message
