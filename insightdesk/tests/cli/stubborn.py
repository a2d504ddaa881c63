"""`insightdesk worker` with a job that will not be stopped: `python stubborn.py worker`."""

from __future__ import annotations

import asyncio
import contextlib

from insightdesk.cli.main import main
from insightdesk.jobs import app


@app.job("cleanup", name="stubborn")
async def stubborn() -> None:
    """Swallows every cancellation."""
    print("stubborn", flush=True)
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


main()
