"""JobDefinition: a handler, its payload's shape and its options, typed from one end to the other."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload

import msgspec

from .errors import InvalidOption, InvalidPayload
from .job import JobKeywords, JobOptions, Json, NewJob
from .queue import Queue
from .record import Job
from .sandbox import RunIn, address_of

P = ParamSpec("P")
R = TypeVar("R")

JobContext = Job
"""The type of a handler's first parameter that gets the job itself; no part of the payload."""


class QueueSource(typing.Protocol):
    """The application that a definition belongs to."""

    def queue(self, name: str) -> Queue: ...


class Payload:
    """The payload's shape, made from a handler's signature; camelCase on the wire.

    Raises:
        InvalidOption: the signature cannot be a payload's.
    """

    def __init__(self, handler: Callable[..., object], label: str) -> None:
        self._label = label
        self._signature = inspect.signature(handler)
        try:
            hints = typing.get_type_hints(handler, include_extras=True)
        except NameError as error:
            raise InvalidOption(f"job {label}: {error}; its annotations must be importable") from None
        parameters = list(self._signature.parameters.values())
        self.wants_job = bool(parameters) and hints.get(parameters[0].name) is Job
        if self.wants_job:
            parameters = parameters[1:]
            self._signature = self._signature.replace(parameters=parameters)
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise InvalidOption(f"job {label}: parameter {parameter} cannot be named in a payload")
            if parameter.name not in hints:
                raise InvalidOption(f"job {label}: parameter {parameter.name!r} needs a type")
            kind = hints[parameter.name]
            has_default = parameter.default is not parameter.empty
            fields.append(
                (parameter.name, kind, parameter.default) if has_default else (parameter.name, kind)
            )
        self._struct = msgspec.defstruct("Payload", fields, rename="camel", kw_only=True)
        self._names = [parameter.name for parameter in parameters]

    @property
    def wire_names(self) -> dict[str, str]:
        """The handler's parameters with their names on the wire."""
        return dict(zip(self._struct.__struct_fields__, self._struct.__struct_encode_fields__, strict=True))

    def encode(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Json:
        """Check arguments and return them as the wire has them. Raises InvalidPayload."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidPayload(f"job {self._label}: {error}") from None
        bound.apply_defaults()
        try:
            wire = msgspec.to_builtins(self._struct(**bound.arguments))
        except (TypeError, ValueError) as error:
            raise InvalidPayload(f"job {self._label}: {error}") from None
        self.decode(wire)
        return wire

    def decode(self, wire: Json) -> dict[str, Any]:
        """Return the arguments of a payload; fields that the handler does not know are left out.

        Raises:
            InvalidPayload: it does not fit; the message names the field.
        """
        try:
            value = msgspec.convert(wire, self._struct)
        except msgspec.ValidationError as error:
            raise InvalidPayload(f"payload of job {self._label}: {error}") from None
        return {name: getattr(value, name) for name in self._names}


@dataclass(frozen=True, slots=True)
class JobDefinition(Generic[P, R]):
    """A declared job. Made by `Toril.job`; calling it runs the handler itself, at once.

    Attributes:
        queue: The queue's name.
        name: The job's name.
        default_options: What its jobs are added with.
        run_in: `"process"` if it runs in processes of their own.
    """

    app: QueueSource
    queue: str
    name: str
    handler: Callable[..., object]
    payload: Payload
    default_options: JobKeywords
    run_in: RunIn | None = None

    def new_job(self, *args: P.args, **kwargs: P.kwargs) -> NewJob:
        """Return the job to be added, checked. Raises InvalidPayload."""
        return NewJob(self.name, self.payload.encode(args, kwargs), **self.default_options)

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Add the job.

        Raises:
            InvalidPayload: an argument does not fit the handler's signature.
            ConnectionFailed: the server cannot be reached.
        """
        return (await self.app.queue(self.queue).add_many([self.new_job(*args, **kwargs)]))[0]

    def options(self, **options: Unpack[JobKeywords]) -> JobDefinition[P, R]:
        """Return the same job with other options. Raises InvalidOption."""
        merged: JobKeywords = {**self.default_options, **options}
        JobOptions.of(**merged)
        return JobDefinition(self.app, self.queue, self.name, self.handler, self.payload, merged, self.run_in)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the handler itself, without a queue."""
        return typing.cast("R", self.handler(*args, **kwargs))

    def call(self, job: Job) -> Any:
        """Call the handler with a job's payload. Raises InvalidPayload if it does not fit."""
        arguments = self.payload.decode(job.data)
        return self.handler(job, **arguments) if self.payload.wants_job else self.handler(**arguments)

    @property
    def is_async(self) -> bool:
        """Whether the handler is `async def`; else it is run in a thread."""
        return inspect.iscoroutinefunction(self.handler)

    @property
    def address(self) -> str | None:
        """Where the handler's own process finds it; None if it needs none."""
        return address_of(self.handler, self.run_in)


class JobDecorator(typing.Protocol):
    """What `Toril.job` returns: it takes the handler and gives its definition."""

    @overload
    def __call__(self, handler: Callable[Concatenate[Job, P], Awaitable[R]], /) -> JobDefinition[P, R]: ...
    @overload
    def __call__(self, handler: Callable[P, Awaitable[R]], /) -> JobDefinition[P, R]: ...
    @overload
    def __call__(self, handler: Callable[P, R], /) -> JobDefinition[P, R]: ...
