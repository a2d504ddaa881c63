"""toril's application as `toril worker` runs it; its one job says that the worker works."""

from __future__ import annotations

import toril

app = toril.Toril()


@app.job("footprint", name="hello")
async def hello() -> None:
    """Tell whoever has started the worker."""
    print("ready", flush=True)
