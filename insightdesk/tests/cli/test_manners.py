"""What all commands have in common: help with an example, and colours that turn off."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
import sys

import pytest
import typer.main

from insightdesk.cli.listing import make_console, print_table
from insightdesk.cli.main import app

COLOUR = re.compile(r"\x1b\[[0-9;]*[39][0-9]")


def words_of(command: object, *words: str) -> list[tuple[str, ...]]:
    """The words of all commands, those of groups too."""
    below: dict[str, object] | None = getattr(command, "commands", None)
    if below is None:
        return [words]
    return [found for word, each in below.items() for found in words_of(each, *words, word)]


@pytest.mark.parametrize("words", words_of(typer.main.get_command(app)), ids=" ".join)
def test_each_command_s_help_has_an_example(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "insightdesk", *words, "--help"],
        env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert f"Example: insightdesk {' '.join(words)}" in done.stdout
    assert "\x1b" not in done.stdout


async def at_a_terminal(**env: str) -> str:
    outer, inner = pty.openpty()
    try:
        environment = {**os.environ, "TERM": "xterm-256color"} | env
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "insightdesk", "--help", env=environment, stdin=inner, stdout=inner
        )
        async with asyncio.timeout(60):
            await process.wait()
        return os.read(outer, 100_000).decode()
    finally:
        os.close(inner)
        os.close(outer)


async def test_colours_are_on_at_a_terminal_and_turn_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert COLOUR.search(await at_a_terminal())
    assert not COLOUR.search(await at_a_terminal(NO_COLOR="1"))
    assert make_console(True).color_system is None
    monkeypatch.setenv("NO_COLOR", "1")
    assert make_console(False).color_system is None


def test_the_version_is_told() -> None:
    words = [sys.executable, "-m", "insightdesk", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert re.fullmatch(r"insightdesk \d+\.\d+\.\d+\n", done.stdout)


def test_commands_are_completed() -> None:
    shell = {"_INSIGHTDESK_COMPLETE": "complete_bash", "COMP_WORDS": "insightdesk to", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "insightdesk"],
        env={**os.environ, **shell}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["token"]


def test_tables_show_texts_and_do_not_obey_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "error"), [("1", "\x1b[31mno\nway"), ("long-id", "x")])
    assert capsys.readouterr().out == "id       error\n1         [31mno way\nlong-id  x\n"
