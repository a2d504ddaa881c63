"""The clock by which a queue's delays and schedules run: the server's, or in tests one that is moved."""

from __future__ import annotations

from . import scripts
from .connection import Connection
from .keys import LOCK_SUFFIX, Keys


async def server_ms(connection: Connection, keys: Keys) -> int:
    """The time of a queue in ms since 1970."""
    if scripts.is_moved(keys.base):
        moved = await scripts.run(connection, "move_clock", keys.all, keys.base, 0)
        if moved is not None:
            return int(moved)
    seconds, micros = await connection.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


class ClockStore:
    """The moved clock of one queue, in this process: all that is called here follows it from `begin` on.

    Its offset stands on the server, so that all clients of the process agree. A client that does not
    follow it, in another process, is noticed by the next call that does: `ServerRefused`, CLOCKMIXED.
    """

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    async def begin(self) -> bool:
        """Put the queue on a clock of its own; False if it is on one already."""
        keys = self._keys
        if scripts.is_moved(keys.base):
            return False
        if not await scripts.run(self._connection, "begin_clock", keys.all, keys.base):
            return False
        scripts.move(keys.base)
        return True

    async def move(self, by_ms: int, expire_locks: bool) -> int | None:
        """Move the clock on; returns the time in ms, or None if the server has lost the clock."""
        shorter = await self._expiring(expire_locks) if by_ms else []
        now = await scripts.run(
            self._connection, "move_clock", self._keys.all, self._keys.base, by_ms, *shorter
        )
        return None if now is None else int(now)

    async def _expiring(self, locks: bool) -> list[bytes]:
        """The keys of the queue that expire; its jobs' locks only if they are to."""
        pattern = (
            "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in self._keys.base) + "*"
        )
        found: list[bytes] = []
        cursor = b"0"
        while True:
            cursor, names = await self._connection.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            found += [name for name in names if locks or not name.endswith(LOCK_SUFFIX)]
            if cursor == b"0":
                break
        return [name for name in found if await self._connection.call("PTTL", name) >= 0]

    async def end(self) -> None:
        """Put the queue back on the server's clock."""
        try:
            await self._connection.call("DEL", self._keys.clock)
        finally:
            scripts.move_back(self._keys.base)
