"""The frame of the administrators' pages: their own navigation."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import HTMLResponse

from insightdesk.accounts.service import Principal
from insightdesk.pages import view
from insightdesk.pages.view import Link

__all__ = ["PageNumber", "Text", "admin_page", "page_count"]

PageNumber = Annotated[int, Query(ge=1, le=10_000)]
Text = Annotated[str, Query(max_length=200)]

_PREFIX = "/ui/admin"
_GROUPS = (
    (
        "Organization",
        (
            Link("/settings", "Settings"),
            Link("/people", "People"),
            Link("/teams", "Teams"),
            Link("/tags", "Tags"),
            Link("/policies", "Promises"),
            Link("/calendars", "Calendars"),
            Link("/escalation", "Escalation"),
            Link("/tokens", "API tokens"),
        ),
    ),
    (
        "Records",
        (
            Link("/archive", "Archive"),
            Link("/erasures", "Erasures"),
            Link("/suppressions", "No mail to"),
            Link("/audit", "Audit"),
        ),
    ),
    (
        "Jobs",
        (
            Link("/overview", "Overview"),
            Link("/dead-letters", "Failures"),
            Link("/schedules", "Schedules"),
            Link("/workers", "Workers"),
            Link("/engine", "Engine"),
        ),
    ),
)


def admin_page(template: str, admin: Principal, here: str, **values: object) -> HTMLResponse:
    """A whole page of the administration, in whose navigation `here` (`people`, …) is where we are."""
    menu = [(name, [Link(f"{_PREFIX}{link.path}", link.label) for link in links]) for name, links in _GROUPS]
    return view.page(
        f"admin/{template}", admin, view.ADMINISTRATION, menu=menu, place=f"{_PREFIX}/{here}", **values
    )


def page_count(total: int, size: int) -> int:
    """How many pages of this size a list has; one at least."""
    return max(1, -(-total // size))
