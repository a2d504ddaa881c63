"""What all commands have in common: help with an example, JSON, colours that turn off, completion."""

from __future__ import annotations

import asyncio
import os
import pty
import re

import pytest

import toril
from toril.cli.commands import COMMANDS

from .conftest import TORIL, Command

NAMES = [name for name, *_ in COMMANDS]
ESCAPE = "\x1b["


@pytest.mark.parametrize("name", NAMES)
def test_each_command_s_help_has_an_example_that_is_its_own(command: Command, name: str) -> None:
    shown = command(name, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"Example: toril {name} " in shown.stdout
    assert ESCAPE not in shown.stdout


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in {"worker", "alive", "dashboard", "server"}]
)
def test_each_command_that_looks_has_url_and_no_color(command: Command, name: str) -> None:
    shown = command(name, "--help").stdout
    assert "--url" in shown
    assert "--no-color" in shown
    assert "-u" in shown


async def at_a_terminal(*words: str, env: dict[str, str]) -> str:
    """What a command writes when a terminal is there."""
    outer, inner = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *TORIL, *words, env={"TERM": "xterm-256color", **env}, stdin=inner, stdout=inner, stderr=inner
        )
        async with asyncio.timeout(20):
            await process.wait()
        return os.read(outer, 100_000).decode()
    finally:
        os.close(inner)
        os.close(outer)


async def test_colours_are_on_at_a_terminal_and_turn_off(queue: toril.Queue) -> None:
    await queue.add("x")
    url = {"TORIL_URL": queue.url}
    words = ("stats", "--queue", queue.name)
    assert ESCAPE in await at_a_terminal(*words, env=url)
    assert ESCAPE not in await at_a_terminal(*words, env=url | {"NO_COLOR": "1"})
    assert ESCAPE not in await at_a_terminal(*words, "--no-color", env=url)


async def test_nothing_that_a_job_says_is_obeyed_by_a_terminal(queue: toril.Queue) -> None:
    await queue.add("\x1b]0;title\x07[bold]x", {"a": "\x9b31m"})
    url = {"TORIL_URL": queue.url}
    for words in (("jobs", queue.name), ("job", queue.name, "1"), ("explain", queue.name, "1")):
        shown = await at_a_terminal(*words, "--no-color", env=url)
        assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", shown)
        assert "[bold]x" in shown


async def test_queue_names_are_completed(queue: toril.Queue, command: Command) -> None:
    await queue.add("x")
    begun = queue.name[:-3]
    words = f"toril jobs {begun}"
    shell = {"_TORIL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
    assert command(env=shell).stdout.split() == [queue.name]
    away = shell | {"TORIL_URL": "valkey://127.0.0.1:1/0"}
    gone = command(env=away)
    assert (gone.stdout.split(), gone.returncode) == ([], 0)
    states = shell | {"COMP_WORDS": "toril jobs q --state f", "COMP_CWORD": "4"}
    assert command(env=states).stdout.split() == ["failed"]


def test_the_version_is_told(command: Command) -> None:
    assert re.fullmatch(r"toril \d+\.\d+\.\d+\n", command("--version").stdout)


def test_exit_codes_are_told_by_the_help(command: Command) -> None:
    assert "Exit codes: 0 it is done; 1 it is not done" in command("--help").stdout
