"""The examples of docs/testing.md run."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import toril
import toril.testing
import toril_pytest

TEXT = (Path(__file__).parents[3] / "docs" / "testing.md").read_text()
APPLICATION, *EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def scope_of(source: str, **names: object) -> dict[str, Any]:
    scope: dict[str, Any] = {"toril": toril, "timedelta": timedelta, **names}
    exec(compile(source, "docs/testing.md", "exec"), scope)
    return scope


@pytest.fixture
async def takes_app(valkey_url: str) -> AsyncIterator[Callable[[toril.Toril], toril.Toril]]:
    make = inspect.unwrap(toril_pytest.toril_app.__wrapped__)
    async for taker in make(valkey_url, "test-guide"):
        yield taker


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_each_example_runs(
    valkey_url: str, takes_app: Callable[[toril.Toril], toril.Toril], number: int
) -> None:
    body = EXAMPLES[number]
    if not body.startswith("async def test_"):
        body = f"async def test_it():\n{textwrap.indent(body, '    ')}"
    scope = scope_of(f"{APPLICATION}\n{body}", url=valkey_url)
    (test,) = [value for name, value in scope.items() if name.startswith("test_")]
    await (test(takes_app) if inspect.signature(test).parameters else test())
    await scope["app"].close()


async def test_the_message_is_as_it_is_shown(valkey_url: str) -> None:
    scope = scope_of(APPLICATION)
    async with toril.testing.manual(scope["app"], url=valkey_url) as jobs:
        await scope["send_welcome"].options(delay=3600).enqueue(user_id="u1")
        with pytest.raises(AssertionError) as caught:
            await jobs.assert_enqueued(scope["send_welcome"], user_id="u2")
    assert str(caught.value) in TEXT


def test_every_fixture_is_in_the_table() -> None:
    for name in toril_pytest.__all__:
        assert f"| `{name}` |" in TEXT
