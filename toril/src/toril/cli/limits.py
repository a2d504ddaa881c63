"""Reads which queues a worker serves, with how many slots."""

from __future__ import annotations

from collections.abc import Sequence

from ..app import Toril
from ..errors import InvalidOption


def limits_of(application: Toril, queues: Sequence[str], concurrency: int) -> dict[str, int] | None:
    """Read QUEUE or QUEUE=N; a declared queue may have such a name itself.

    Args:
        application: Knows the declared queues.
        queues: What was given; all declared ones if it is empty.
        concurrency: Of the queues that have none of their own.

    Returns:
        Slots by queue; None for all.

    Raises:
        InvalidOption: what follows the last `=` is no whole number from 1.
    """
    if not queues:
        return None
    known = {definition.queue for definition in application.definitions}
    limits = {}
    for each in queues:
        name, _, number = each.rpartition("=")
        if not name or each in known:
            limits[each] = concurrency
        elif number.isdecimal() and int(number) > 0:
            limits[name] = int(number)
        else:
            raise InvalidOption(f"--queue {each}: a concurrency is a whole number from 1")
    return limits
