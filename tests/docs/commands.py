"""Writes the references in the pages about command lines, from the commands; a test holds them to that.

python tests/docs/commands.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import typer.main

from insightdesk.cli.main import app as insightdesk
from toril.cli.commands import app as toril

ROOT = Path(__file__).parents[2]
PAGES: dict[str, tuple[str, typer.Typer]] = {
    "docs/cli.md": ("toril", toril),
    "docs/helpdesk/cli.md": ("insightdesk", insightdesk),
}
COMMON = ("--url", "--prefix", "--json", "--no-color", "--help")
"""Options that the head of a page tells of once."""
BLOCK = re.compile(r"<!-- commands: [^\n]* -->\n.*<!-- commands: end -->", re.DOTALL)
EXAMPLE = re.compile(r"Example: (.+)")


def rewritten(page: str) -> str:
    """A page with its reference as it should be."""
    name, app = PAGES[page]
    head = "<!-- commands: made by `python tests/docs/commands.py`, not by hand -->"
    sections = "\n\n".join(_section(words, command) for words, command in commands(name, app))
    return BLOCK.sub(lambda _: f"{head}\n{sections}\n<!-- commands: end -->", (ROOT / page).read_text())


def commands(name: str, app: typer.Typer) -> Iterator[tuple[str, Any]]:
    """All commands with their words, those of groups too."""

    def walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield words, command
        else:
            for word, each in below.items():
                yield from walk(f"{words} {word}", each)

    return walk(name, typer.main.get_command(app))


def _section(words: str, command: Any) -> str:
    purpose = inspect.cleandoc(command.help or "")
    example = EXAMPLE.fullmatch(command.epilog or "")
    assert example is not None, f"{words} has no example"
    assert example[1].startswith(words), f"{words} has another command's example"
    rows = [_row(param) for param in command.params if not set(param.opts) & set(COMMON)]
    common = [option for option in COMMON if any(option in param.opts for param in command.params)]
    shared = f"And {', '.join(f'`{option}`' for option in common)}." if common else ""
    table = "\n".join(["| argument or option | what it does | default |", "| --- | --- | --- |", *rows])
    parts = [f"## {words}", purpose, f"```console\n$ {example[1]}\n```", table if rows else "", shared]
    return "\n\n".join(part for part in parts if part)


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        called = f"`{param.metavar or param.name.upper()}`" + (" …" if param.nargs == -1 else "")
    else:
        names = sorted([*param.opts, *param.secondary_opts], key=len, reverse=True)
        called = ", ".join(f"`{option}`" for option in names)
    says_nothing = param.required or isinstance(param.default, bool) or param.default in (None, "", ())
    default = "" if says_nothing else f"`{param.default}`"
    return f"| {called} | {param.help or ''} | {default} |"


if __name__ == "__main__":
    for page in PAGES:
        (ROOT / page).write_text(rewritten(page))
