"""The engine beside its reference model: every state after every step."""

from __future__ import annotations

from model.machine import statistics
from model.run import run


def test_the_engine_does_what_the_model_says(valkey_url: str) -> None:
    run(valkey_url, 100)
    assert statistics["steps"] > 1000
