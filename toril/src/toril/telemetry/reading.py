"""Reads what another client may have written wrongly: telemetry must harm no job."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import InvalidPayload

T = TypeVar("T")
D = TypeVar("D")


def readable(read: Callable[[], T], otherwise: D) -> T | D:
    """Return what `read` returns; `otherwise` if that cannot be read."""
    try:
        return read()
    except InvalidPayload:
        return otherwise
