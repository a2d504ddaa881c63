"""The `toril` command in a process of its own, on the test's server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

TORIL = [sys.executable, "-c", "from toril.cli.main import main; main()"]


@pytest.fixture
def command(valkey_url: str) -> Command:
    """Run `toril WORDS…`; `env` goes before its environment."""

    def run(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        environment = {"TORIL_URL": valkey_url, "PATH": "/usr/bin:/bin", "COLUMNS": "200"} | (env or {})
        return subprocess.run(
            [*TORIL, *words], env=environment, capture_output=True, text=True, timeout=30, check=False
        )

    return run


@pytest.fixture
def done(command: Command) -> Callable[..., str]:
    """Run `toril WORDS…`, which must succeed; returns what it prints."""

    def run(*words: str) -> str:
        ended = command(*words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


@pytest.fixture
def found(done: Callable[..., str]) -> Callable[..., Any]:
    """Run `toril WORDS… --json`, which must succeed; returns what that says."""
    return lambda *words: json.loads(done(*words, "--json"))
