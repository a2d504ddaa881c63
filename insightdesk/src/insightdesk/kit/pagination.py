"""Pages of a list: ``?page=1&pageSize=50``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query

from insightdesk.kit.schema import Schema

T = TypeVar("T")

MAX_PAGE_SIZE = 200


@dataclass(frozen=True)
class PageRequest:
    """Which part of a list is wanted."""

    page: int
    page_size: int

    @property
    def offset(self) -> int:
        """Rows to leave out."""
        return (self.page - 1) * self.page_size


class Page(Schema, Generic[T]):
    """One part of a list, and how long the whole is."""

    items: list[T]
    total: int
    page: int
    page_size: int


def page_request(
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, alias="pageSize")] = 50,
) -> PageRequest:
    """Read the page from the query."""
    return PageRequest(page, page_size)


PageQuery = Annotated[PageRequest, Depends(page_request)]
