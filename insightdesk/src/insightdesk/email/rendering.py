"""From a template's name and plain data to a subject, an HTML and a text part. Touches no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import css_inline
import jinja2

__all__ = ["TEMPLATES", "RenderedMail", "UnknownTemplate", "clean_header", "render"]

TEMPLATES = frozenset(
    {
        "assignment",
        "generic",
        "new_message",
        "sla_breach",
        "sla_warning",
        "status_change",
        "ticket_closed",
        "ticket_created",
        "ticket_resolved",
        "welcome",
    }
)
_SUBJECT_LIMIT = 250  # characters; longer ones are cut, mail clients show far fewer


class UnknownTemplate(ValueError):
    """No template has this name; only those in `TEMPLATES` are ever loaded."""


@dataclass(frozen=True)
class RenderedMail:
    """A mail's words, ready for any provider."""

    subject: str
    html: str
    text: str


def clean_header(value: str) -> str:
    """One line, no control characters: ticket text can never start a header of its own."""
    words = "".join(c if c.isprintable() else " " for c in value).split()
    line = " ".join(words)
    return line if len(line) <= _SUBJECT_LIMIT else line[: _SUBJECT_LIMIT - 1] + "…"


def render(template: str, subject: str, data: Mapping[str, object]) -> RenderedMail:
    """Renders both parts.

    Raises:
        UnknownTemplate: for a name outside the closed set, path tricks included.
    """
    if template not in TEMPLATES:
        raise UnknownTemplate(f"there is no mail template {template[:80]!r}")
    subject = clean_header(subject)
    values = {**data, "subject": subject}
    html = _environment().get_template(f"{template}.html").render(values)
    text = _environment().get_template(f"{template}.txt").render(values)
    return RenderedMail(subject=subject, html=_inliner().inline(html), text=text.strip() + "\n")


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("insightdesk.email", "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _inliner() -> css_inline.CSSInliner:
    # Mail must never fetch anything; the media query for dark mode stays in a style element.
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
