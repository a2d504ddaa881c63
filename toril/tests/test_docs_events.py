"""The examples of docs/events.md run, in turn."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import toril

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
PRINTED = [
    ["1 returned {'ok': True}", "2 failed: no"],
    ["welcome", "welcome"],
    ["imported {'rows': '12'}", "True"],
]


async def handler(job: toril.Job) -> object:
    if job.name == "bad":
        raise ValueError("no")
    return {"ok": True}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_each_example_runs(queue: toril.Queue, capsys: pytest.CaptureFixture[str], number: int) -> None:
    source = f"async def example():\n{textwrap.indent(EXAMPLES[number], '    ')}".replace(
        '"email"', repr(queue.name)
    )
    scope: dict[str, Any] = {"toril": toril, "queue": queue, "url": queue.url}
    exec(compile(source, f"docs/events.md, example {number}", "exec"), scope)
    worker = toril.Worker(queue.name, handler, url=queue.url)
    async with asyncio.timeout(10):
        example = asyncio.create_task(scope["example"]())
        working = None
        if number == 0:
            while not await _is_reading(queue):
                await asyncio.sleep(0.01)
            await queue.add("good")
            await queue.add("bad")
            working = asyncio.create_task(worker.run(handle_signals=False))
        await example
        if working is not None:
            worker.stop()
            await working
    assert capsys.readouterr().out.splitlines() == PRINTED[number]


async def _is_reading(queue: toril.Queue) -> bool:
    clients = (await queue.store.connection.call("CLIENT", "LIST")).decode().splitlines()
    return any(f"name={queue.store.keys.client}:qe " in line and "cmd=xread" in line for line in clients)


def test_every_kind_is_in_the_table() -> None:
    for label, kind in toril.events.KINDS.items():
        assert f"`{kind.__name__}`" in TEXT
        assert f"`{label}`" in TEXT
