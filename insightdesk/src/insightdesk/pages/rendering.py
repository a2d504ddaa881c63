"""Templates and the headers of pages, for every page alike."""

from __future__ import annotations

from functools import lru_cache

import jinja2
from fastapi.responses import HTMLResponse

__all__ = ["MAIL_POLICY", "PAGE_POLICY", "headers", "html"]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A mail may show its own styles and nothing else: no script, no request, no way out of its frame.
MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'"
)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("insightdesk.pages", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def html(template: str, **values: object) -> HTMLResponse:
    """A rendered page or fragment, under the pages' policy."""
    return HTMLResponse(_environment().get_template(template).render(values), headers=headers(PAGE_POLICY))


def headers(policy: str) -> dict[str, str]:
    """What every page says to the browser: its policy, and to keep and leak nothing."""
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
