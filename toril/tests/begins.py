"""When jobs began, by the server's clock: what a limit allows is judged by nothing else."""

from __future__ import annotations

import toril


async def begins(queue: toril.Queue) -> list[int]:
    """The moments in ms at which jobs were given to workers, from the stream of events."""
    found = []
    for cursor, flat in await queue.store.connection.call("XRANGE", queue.store.keys.events, "-", "+"):
        if dict(zip(flat[::2], flat[1::2], strict=True))[b"event"] == b"active":
            found.append(int(cursor.partition(b"-")[0]))
    return found


def windows(moments: list[int], length: int) -> list[int]:
    """How many fall into each window of a rate limit: one begins with the first moment behind the last."""
    counts: list[int] = []
    end = 0
    for moment in moments:
        if moment >= end:
            counts.append(0)
            end = moment + length
        counts[-1] += 1
    return counts
