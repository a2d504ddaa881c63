"""Writes the reference of commands in docs/cli.md from the commands themselves; a test holds it to that.

python toril/tests/cli/reference.py
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import typer.main

from toril.cli.commands import COMMANDS, app

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
COMMON = ("--url", "--prefix", "--json", "--no-color", "--help")
"""Options that the head of the docs tells of once."""
BLOCK = re.compile(r"<!-- commands: [^\n]* -->\n.*<!-- commands: end -->", re.DOTALL)


def rewritten(text: str) -> str:
    """The docs with the reference as it should be."""
    head = "<!-- commands: made by `python toril/tests/cli/reference.py`, not by hand -->"
    return BLOCK.sub(lambda _: f"{head}\n{reference()}\n<!-- commands: end -->", text)


def reference() -> str:
    """All commands, each with its purpose, an example, arguments and options."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert [*commands] == [name for name, *_ in COMMANDS]
    return "\n\n".join(_section(name, commands[name]) for name in commands)


def _section(name: str, command: Any) -> str:
    _, function, _, example = next(each for each in COMMANDS if each[0] == name)
    purpose = inspect.cleandoc(function.__doc__ or "")
    rows = [_row(param) for param in command.params if not set(param.opts) & set(COMMON)]
    common = [option for option in COMMON if any(option in param.opts for param in command.params)]
    shared = f"And {', '.join(f'`{option}`' for option in common)}." if common else ""
    table = "\n".join(["| argument or option | what it does | default |", "| --- | --- | --- |", *rows])
    parts = [f"## toril {name}", purpose, f"```console\n$ {example}\n```", table if rows else "", shared]
    return "\n\n".join(part for part in parts if part)


def _row(param: Any) -> str:
    if param.param_type_name == "argument":
        called = f"`{param.metavar}`" + (" …" if param.nargs == -1 else "")
    else:
        called = ", ".join(f"`{option}`" for option in sorted(param.opts, key=len, reverse=True))
    default = "" if param.default in (None, False, ()) or param.required else f"`{param.default}`"
    return f"| {called} | {param.help} | {default} |"


if __name__ == "__main__":
    DOCS.write_text(rewritten(DOCS.read_text()))
