"""What runs a job: the kinds of handlers, and who chooses among them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from ..job import Json
from ..record import Job
from ..sandbox import RunIn, address_of

Handler = Callable[[Job], Awaitable[Json]] | Callable[[Job], Json]
"""A job's handler: `async def`, or a plain `def` that is run in a thread."""
Middleware = Callable[[Job, Callable[[], Awaitable[Json]]], Awaitable[Json]]
"""Called around each run: `async def timed(job, run): ...; result = await run(); ...; return result`."""


class Route(NamedTuple):
    """What runs one job: in the event loop, in a thread, or by its address in a process of its own."""

    call: Callable[[Job], Any]
    in_thread: bool
    address: str | None = None


class Router(Protocol):
    """Chooses what runs a job; an error that it raises is that job's outcome.

    Attributes:
        names: The names of the jobs that it knows; None if it takes any.
    """

    names: tuple[str, ...] | None

    def route(self, job: Job) -> Route: ...


class SingleRoute:
    """One handler for all jobs of a queue."""

    def __init__(self, handler: Handler, run_in: RunIn | None = None) -> None:
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        self._route = Route(handler, in_thread=not is_async, address=address_of(handler, run_in))
        self.names: tuple[str, ...] | None = None

    def route(self, job: Job) -> Route:
        """Return the one route."""
        return self._route
