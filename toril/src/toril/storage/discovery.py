"""Which queues are on a server."""

from __future__ import annotations

from .address import Address
from .connection import Connection


async def queue_names(url: str, prefix: str) -> list[str]:
    """Return the names of all queues, by their meta keys, sorted.

    Raises:
        ConnectionFailed: the server cannot be reached.
        InvalidOption: the URL is wrong.
    """
    connection = Connection(Address.of(url))
    names: set[str] = set()
    cursor = b"0"
    try:
        while True:
            cursor, keys = await connection.call("SCAN", cursor, "MATCH", f"{prefix}:*:meta", "COUNT", 1000)
            names.update(key.decode().removeprefix(f"{prefix}:").removesuffix(":meta") for key in keys)
            if cursor == b"0":
                return sorted(names)
    finally:
        await connection.close()
