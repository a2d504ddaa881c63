"""docs/testing.md shows message and fixtures as they are; its examples run with those of all pages."""

from __future__ import annotations

from pathlib import Path

import pytest

import toril
import toril.testing
import toril_pytest

TEXT = (Path(__file__).parents[3] / "docs" / "testing.md").read_text()


async def test_the_message_is_as_it_is_shown(valkey_url: str) -> None:
    app = toril.Toril()

    @app.job("email", name="welcome")
    async def send_welcome(user_id: str) -> str:
        return f"mail to {user_id}"

    async with toril.testing.manual(app, url=valkey_url) as jobs:
        await send_welcome.options(delay=3600).enqueue(user_id="u1")
        with pytest.raises(AssertionError) as caught:
            await jobs.assert_enqueued(send_welcome, user_id="u2")
    await app.close()
    assert str(caught.value) in TEXT


def test_every_fixture_is_in_the_table() -> None:
    for name in toril_pytest.__all__:
        assert f"| `{name}` |" in TEXT
