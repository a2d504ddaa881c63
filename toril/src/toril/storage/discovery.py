"""Which queues are on a server."""

from __future__ import annotations

from dataclasses import replace

from .address import Address
from .connection import Connection, inquire
from .endpoint import Kind
from .routes import Routes


async def queue_names(url: str, prefix: str) -> list[str]:
    """Return the names of all queues, by their meta keys, sorted; on Cluster, of all its shards.

    Raises:
        ConnectionFailed: a server cannot be reached.
        InvalidOption: the URL is wrong.
    """
    address = Address.of(url)
    routes = Routes(address)
    names: set[str] = set()
    for master in await inquire(routes, routes.masters()):
        one = replace(address, kind=Kind.SERVER, endpoints=(master,))
        names |= await _names_at(one, prefix)
    return sorted(names)


async def _names_at(address: Address, prefix: str) -> set[str]:
    connection = Connection(address)
    names: set[str] = set()
    cursor = b"0"
    try:
        while True:
            cursor, keys = await connection.call("SCAN", cursor, "MATCH", f"{prefix}:*:meta", "COUNT", 1000)
            found = (key.decode().removeprefix(f"{prefix}:").removesuffix(":meta") for key in keys)
            # No queue's name has a colon: such a key is a deduplication key, say, that ends with `:meta`.
            names.update(name for name in found if ":" not in name)
            if cursor == b"0":
                return names
    finally:
        await connection.close()
