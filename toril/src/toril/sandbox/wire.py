"""What a worker and the processes of its handlers say to each other: msgpack in frames, no pickle."""

from __future__ import annotations

import struct

import msgspec


class Run(msgspec.Struct):
    """Import the handler of this address, unless it is there already, and run one job with it."""

    address: str
    path: list[str]
    log_level: int
    queue: str
    prefix: str
    url: str
    job_id: str
    fields: dict[bytes, bytes]


class Begun(msgspec.Struct, tag="begun"):
    """The handler is there and about to be called; `Done` or `Raised` follows."""


class Done(msgspec.Struct, tag="done"):
    """The handler has returned; its result as JSON."""

    result: str


class Raised(msgspec.Struct, tag="raised"):
    """The handler has raised; or its import, if that comes without `Begun` before it.

    `kind` is the class itself for an outcome or one of toril's errors, else empty.
    """

    kind: str
    type_name: str
    text: str
    trace: str
    attributes: dict[str, str | int | float | bool | None]


Answer = Begun | Done | Raised

_HEAD = struct.Struct(">I")
HEAD_SIZE = _HEAD.size

_orders = msgspec.msgpack.Decoder(Run)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def read_order(body: bytes) -> Run:
    """Read what a worker says."""
    return _orders.decode(body)


def read_answer(body: bytes) -> Answer:
    """Read what a handler's process says."""
    return _answers.decode(body)


def frame(message: Run | Answer) -> bytes:
    """Write a message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return _HEAD.pack(len(body)) + body


def body_size(head: bytes) -> int:
    """Read the length that stands before a message."""
    size: int = _HEAD.unpack(head)[0]
    return size
