"""What comes back from a handler's own process when it has not returned."""

from __future__ import annotations

from .. import outcome
from ..errors import HandlerRaised, InvalidPayload
from ..failure import bounded, reason_of, trace_of
from .wire import Raised


class RemoteTrace(Exception):
    """The stack trace in the other process, shown as the cause of the error here."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def to_wire(error: BaseException) -> Raised:
    """Write what a handler has raised."""
    kind = ""
    attributes = {}
    for each in type(error).__mro__:
        if each is InvalidPayload or (each is getattr(outcome, each.__name__, None)):
            kind = each.__name__
            attributes = {
                name: bounded(value) if isinstance(value, str) else value
                for name, value in vars(error).items()
                if value is None or isinstance(value, str | int | float)
            }
            break
    return Raised(kind, type(error).__name__, reason_of(error), trace_of(error), attributes)


def from_wire(raised: Raised) -> BaseException:
    """Return the error to raise in the worker: the outcome itself, or a `HandlerRaised`."""
    error: BaseException
    if raised.kind == "InvalidPayload":
        error = InvalidPayload(raised.text)
    elif raised.kind:
        known = getattr(outcome, raised.kind)
        error = known.__new__(known)
        Exception.__init__(error, raised.text)
        vars(error).update(raised.attributes)
    else:
        error = HandlerRaised(raised.text, raised.type_name)
    error.__cause__ = RemoteTrace(raised.trace)
    return error
