"""The embedded server: on a port of its own, whoever else takes ports."""

from __future__ import annotations

import sys

import pytest

import toril
from toril.embedded import EmbeddedFailed, free_port

MODULE = sys.modules["toril.embedded"]
"""`toril.embedded` itself is the function."""


async def ids(server: toril.EmbeddedServer) -> list[str]:
    async with toril.Queue("q", server.url) as queue:
        await queue.add("x")
        return await queue.get_job_ids("waiting")


async def test_a_port_that_was_taken_meanwhile_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server answers there: it is not taken for this one."""
    with toril.EmbeddedServer() as first:
        free = free_port()
        ports = iter([first.port, first.port, free])
        monkeypatch.setattr(MODULE, "free_port", lambda: next(ports))
        with toril.EmbeddedServer() as second:
            assert second.port == free
            assert (await ids(first), await ids(second)) == (["1"], ["1"])
            second.kill()
            second.restart()
            assert second.port == free


def test_a_port_that_was_asked_for_and_is_taken_is_told() -> None:
    with toril.EmbeddedServer() as first:
        second = toril.EmbeddedServer(port=first.port)
        with pytest.raises(EmbeddedFailed, match=f"did not start on port {first.port}: .*Failed listening"):
            second.start()
        second.stop()
