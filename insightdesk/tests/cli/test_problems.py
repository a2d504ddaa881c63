"""What a user can mend: one line on stderr, a code that is not 0, no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from insightdesk.embedded import postgres


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "insightdesk", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.mark.parametrize(
    "command", [["api"], ["worker"], ["migrate"], ["token", "create", "--role", "admin"]]
)
def test_the_database_is_away(command: list[str]) -> None:
    done = run(*command, INSIGHTDESK_DATABASE_URL="postgresql://127.0.0.1:1/nothing")
    assert_one_line(done, "PostgreSQL")


@pytest.mark.parametrize("command", [["api"], ["worker"], ["token", "create", "--role", "admin"]])
def test_a_migration_is_missing(command: list[str], empty_database: str) -> None:
    assert_one_line(run(*command, INSIGHTDESK_DATABASE_URL=empty_database), "insightdesk migrate")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("INSIGHTDESK_DATABASE_URL", "mysql://x"),
        ("INSIGHTDESK_VALKEY_URL", "valkey://host:port"),
        ("INSIGHTDESK_EMAIL_URL", "ftp://x"),
        ("INSIGHTDESK_PORT", "many"),
    ],
)
def test_a_malformed_setting(variable: str, value: str) -> None:
    assert_one_line(run("api", **{variable: value}), variable)


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert_one_line(run("dev", "--port", port, INSIGHTDESK_DATA_DIR=str(tmp_path)), port, "--port")


def test_an_unreachable_valkey(tmp_path: Path) -> None:
    with postgres(tmp_path / "postgres") as url:
        assert run("migrate", INSIGHTDESK_DATABASE_URL=url).returncode == 0
        done = run("worker", INSIGHTDESK_DATABASE_URL=url, INSIGHTDESK_VALKEY_URL="valkey://127.0.0.1:1/0")
        assert_one_line(done, "127.0.0.1:1")


def test_an_unknown_option_and_role() -> None:
    done = run("api", "--nonsense")
    assert done.returncode == 2
    assert "--nonsense" in done.stderr
    assert "Traceback" not in done.stderr
    assert_one_line(run("token", "create", "--role", "king"), "king", "agent")


def test_the_demo_needs_a_helpdesk(tmp_path: Path) -> None:
    assert_one_line(run("demo", INSIGHTDESK_DATA_DIR=str(tmp_path)), "insightdesk dev")
