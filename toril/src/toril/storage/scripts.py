"""Loads the Lua scripts, and calls them by their SHA.

Each file of `lua/` is one verb with its contract as header; `--- @include "name"` puts a file of
`lua/include/` in its place, once.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache, lru_cache
from importlib import resources

from ..errors import ServerRefused, TorilError
from .channel import Argument, Head, Reply, Sink, head
from .connection import Connection
from .endpoint import Replicas

_INCLUDE = re.compile(r'^--- @include "([a-z_]+)"[ \t]*$', re.MULTILINE)


class ScriptError(TorilError):
    """A script file is missing, or its includes go in a circle."""


@cache
def source(name: str) -> str:
    """Return the whole text of a script, includes in place.

    Raises:
        ScriptError: a file is missing or includes itself.
    """
    folder = resources.files(__package__) / "lua"
    seen: set[str] = set()

    def read(path: str, stack: tuple[str, ...]) -> str:
        if path in stack:
            raise ScriptError(f"lua scripts include each other in a circle: {' -> '.join((*stack, path))}")
        file = folder.joinpath(*path.split("/"))
        if not file.is_file():
            raise ScriptError(f"no lua script {path}")

        def put(match: re.Match[str]) -> str:
            include = f"include/{match[1]}.lua"
            if include in seen:
                return ""
            text = read(include, (*stack, path))
            seen.add(include)
            return text

        return _INCLUDE.sub(put, file.read_text(encoding="utf-8"))

    return read(f"{name}.lua", ())


@cache
def moved_source(name: str) -> str:
    """The text of a script for a queue on a moved clock, see storage/clock.py."""
    prelude = resources.files(__package__) / "lua" / "prelude" / "moved_clock.lua"
    return f"{prelude.read_text(encoding='utf-8')}{source(name)}"


@cache
def sha(name: str) -> str:
    """The SHA by which the server knows the script."""
    return hashlib.sha1(source(name).encode()).hexdigest()


@cache
def moved_sha(name: str) -> str:
    """The SHA by which the server knows the script of a queue on a moved clock."""
    return hashlib.sha1(moved_source(name).encode()).hexdigest()


@lru_cache(maxsize=4096)
def _call(known: str, keys: tuple[str, ...], base: str) -> Head:
    return head("EVALSHA", known, str(len(keys)), *keys, base)


_moved: set[str] = set()


def is_moved(base: str) -> bool:
    """Whether the queue of these keys is on a moved clock; never in production."""
    return base in _moved


def move(base: str) -> None:
    """From now on call the scripts of this queue so that they follow its moved clock."""
    _moved.add(base)


def move_back(base: str) -> None:
    """From now on call the scripts of this queue plainly."""
    _moved.discard(base)


async def run(
    connection: Connection,
    name: str,
    keys: tuple[str, ...],
    base: str,
    *args: Argument,
    replicas: Replicas | None = None,
) -> Reply:
    """Call the script `name` with complete keys, and the base of the queue's keys as the first argument.

    `replicas` is that of `Connection.call`.

    Raises:
        ConnectionFailed: the server cannot be reached, or the connection broke.
        ServerRefused: the server answered with an error.
        NotReplicated: it was done, but too few replicas have it.
    """
    moved = bool(_moved) and base in _moved
    try:
        known = moved_sha(name) if moved else sha(name)
        return await connection.call(_call(known, keys, base), *args, replicas=replicas)
    except ServerRefused as error:
        if error.code != "NOSCRIPT":
            raise
    text = moved_source(name) if moved else source(name)
    return await connection.call("EVAL", text, len(keys), *keys, base, *args, replicas=replicas)


def post(
    connection: Connection, name: str, keys: tuple[str, ...], base: str, *args: Argument, sink: Sink
) -> bool:
    """Call the script `name` if it can go out at once, see `Connection.post`; False if not."""
    if base in _moved:
        return False
    return connection.post(_call(sha(name), keys, base), *args, sink=sink)


def refusal(connection: Connection, error: ServerRefused) -> ServerRefused | None:
    """What to tell of a posted call that was refused, and has done nothing; None if `run` is to make it."""
    return None if error.code == "NOSCRIPT" else connection.refusal(error)
