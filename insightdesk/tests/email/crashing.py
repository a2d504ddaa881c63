"""A process that is killed at a named point of sending a mail: `python crashing.py POINT [DELIVERY]`.

`claimed`: the try is claimed, nothing is said to the provider yet. `handed`: its fate is noted as open, and
the provider is not asked yet. `taken`: the provider took it, and nobody noted that. Without a delivery, it is
a whole worker. `never`: it lives.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any, NoReturn

from insightdesk.email import delivery, repository
from insightdesk.worker import run_worker


def die(*_: object, **__: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def arrange(point: str) -> None:
    """Put the end where it is wanted."""
    hand_over = repository.hand_over
    to_repository: Any = repository

    if point == "claimed":
        to_repository.hand_over = die
    elif point == "handed":
        committed = delivery.transaction

        class Watched:
            """A transaction after whose commit the process ends, if it noted the hand-over."""

            def __init__(self) -> None:
                self.inner = committed()

            async def __aenter__(self) -> object:
                return await self.inner.__aenter__()

            async def __aexit__(self, *error: Any) -> None:
                await self.inner.__aexit__(*error)
                if noted:
                    die()

        noted: list[bool] = []

        async def note(*args: Any, **kwargs: Any) -> bool:
            noted.append(True)
            return await hand_over(*args, **kwargs)

        to_repository.hand_over = note
        delivery.transaction = Watched  # type: ignore[attr-defined]
    elif point == "taken":
        to_repository.settle_sent = die
    elif point != "never":
        raise SystemExit(f"no such point: {point}")


if __name__ == "__main__":
    arrange(sys.argv[1])
    asyncio.run(delivery.deliver(sys.argv[2]) if len(sys.argv) > 2 else run_worker())
