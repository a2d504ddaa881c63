"""From a template's name and plain data to a subject, an HTML and a text part. Touches no database."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from urllib.parse import urlsplit

import css_inline
import jinja2
import nh3
from markupsafe import Markup

import toril
from insightdesk.email.registry import find

__all__ = ["Desk", "InvalidData", "RenderedMail", "clean_header", "render"]

_SUBJECT_LIMIT = 250  # characters; longer ones are cut, mail clients show far fewer
_JOINERS = "\u200c\u200d"  # invisible, yet parts of words and of emoji


class InvalidData(ValueError):
    """The data do not fit the template; the message names what is missing or wrong."""


@dataclass(frozen=True)
class RenderedMail:
    """A mail's words, ready for any provider."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True)
class Desk:
    """Who writes: the organization's name, and the address where its helpdesk is."""

    name: str
    url: str


def clean_header(value: str) -> str:
    """One bounded line without control characters, line breaks or marks that turn the writing round.

    What looks like an encoded word (RFC 2047) is taken apart: a reader decodes it, and Python does so before
    it writes the header, line breaks included.
    """
    line = " ".join("".join(_visible(character) for character in value).split()).replace("=?", "= ?")
    return line if len(line) <= _SUBJECT_LIMIT else line[: _SUBJECT_LIMIT - 1] + "…"


def _visible(character: str) -> str:
    if character in _JOINERS:
        return character
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return " " if category in ("Cc", "Cs", "Zl", "Zp", "Zs") else character


def _plain(text: str) -> str:
    """A text part without what a terminal would obey; line breaks and tabs stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = ["".join(c for c in line if c == "\t" or _shown(c)).rstrip() for line in lines]
    folded: list[str] = []
    for line in kept:
        if line or (folded and folded[-1]):
            folded.append(line)
    return "\n".join(folded).strip() + "\n"


def _shown(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cs")


def render(
    template: str, data: Mapping[str, toril.Json], desk: Desk, *, unsubscribe_url: str | None = None
) -> RenderedMail:
    """Renders the subject and both parts.

    Raises:
        UnknownTemplate: for a name that the registry does not have.
        InvalidData: the data lack what the template needs, or hold a link that is not http(s).
    """
    found = find(template)
    values: dict[str, object] = {**data, "desk": desk, "unsubscribe_url": unsubscribe_url}
    if found.name == "generic":
        values = _generic(data) | {"desk": desk, "unsubscribe_url": unsubscribe_url}
    environment = _environment()
    try:
        subject = clean_header(_subject(found.subject).render(values))
        values["subject"] = subject
        html = environment.get_template(f"{found.name}.html").render(values)
        text = environment.get_template(f"{found.name}.txt").render(values)
    except (jinja2.TemplateError, TypeError) as error:
        raise InvalidData(f"the data do not fit the template {found.name!r}: {error}") from error
    return RenderedMail(subject=subject, html=_inliner().inline(_encodable(html)), text=_plain(text))


def _generic(data: Mapping[str, toril.Json]) -> dict[str, object]:
    """A mail worded by its producer: `body` or `html`, and whatever else there is as a list of facts."""
    worded = ("subject", "body", "text", "html")
    return {
        "subject": str(data.get("subject", "")),
        "body": str(data.get("body", data.get("text", ""))),
        "html": str(data.get("html", "")),
        "facts_given": [(label, str(value)) for label, value in data.items() if label not in worded],
    }


def _encodable(html: str) -> str:
    """Without lone surrogates and control characters, which neither UTF-8 nor PostgreSQL can hold."""
    return "".join(c for c in html if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))


def _web(url: object) -> str:
    text = str(url)
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or not all(map(str.isprintable, text))
        or " " in text
    ):
        raise jinja2.TemplateRuntimeError(f"{text[:80]!r} is not an http(s) link")
    return text


def _clean_html(html: str) -> Markup:
    return Markup(nh3.clean(html, url_schemes={"http", "https", "mailto"}))


def _html_text(html: str) -> str:
    broken = html.replace("</p>", "</p>\n\n").replace("<br", "\n<br").replace("</li>", "</li>\n")
    return unescape(nh3.clean(broken, tags=set()))


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("insightdesk.email", "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(web=_web, clean_html=_clean_html, html_text=_html_text)
    return environment


@lru_cache(maxsize=256)
def _subject(pattern: str) -> jinja2.Template:
    return _environment().overlay(autoescape=False).from_string(pattern)


@lru_cache(maxsize=1)
def _inliner() -> css_inline.CSSInliner:
    # Mail must never fetch anything; the media query for dark mode stays in a style element.
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
