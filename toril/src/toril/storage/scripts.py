"""Loads the Lua scripts, and calls them by their SHA.

Each file of `lua/` is one verb with its contract as header; `--- @include "name"` puts a file of
`lua/include/` in its place, once.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources

from ..errors import ServerRefused, TorilError
from .connection import Argument, Connection, Reply

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
def sha(name: str) -> str:
    """The SHA by which the server knows the script."""
    return hashlib.sha1(source(name).encode()).hexdigest()


async def run(connection: Connection, name: str, keys: tuple[str, ...], *args: Argument) -> Reply:
    """Call the script `name` with complete keys.

    Raises:
        ConnectionFailed: the server cannot be reached, or the connection broke.
        ServerRefused: the server answered with an error.
    """
    try:
        return await connection.call("EVALSHA", sha(name), len(keys), *keys, *args)
    except ServerRefused as error:
        if error.code != "NOSCRIPT":
            raise
    return await connection.call("EVAL", source(name), len(keys), *keys, *args)
