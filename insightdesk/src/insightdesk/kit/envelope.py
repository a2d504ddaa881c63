"""Every answer's outer form: ``{"success": true, "data": …}`` or ``{"success": false, "error": …}``."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Envelope(BaseModel, Generic[T]):
    """A successful answer."""

    success: Literal[True] = True
    data: T


class ErrorEnvelope(BaseModel):
    """A failure, told in one line."""

    success: Literal[False] = False
    error: str


def ok(data: T) -> Envelope[T]:
    """Wrap ``data``."""
    return Envelope(data=data)
