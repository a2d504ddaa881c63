"""How commands print what they list: in columns for people, as JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["AsJson", "NoColor", "iso", "make_console", "print_json", "print_table", "printable"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print no colours; so does NO_COLOR.")]


def printable(text: str) -> str:
    """One line without terminal escapes: ticket text is shown, never obeyed."""
    return "".join(c if c.isprintable() else " " for c in text)[:120]


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a line a row under a line of headings; ids stay whole, only what is very long is cut."""
    lines = [list(heads), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    """Prints a value as JSON, all of it in ASCII: a terminal obeys other characters."""
    print(json.dumps(value, indent=2))


def iso(moment: datetime | None) -> str | None:
    """A time as JSON has it."""
    return None if moment is None else moment.isoformat()


def make_console(no_color: bool, *, soft_wrap: bool = False) -> Console:
    """A console that prints no escape sequences into pipes, by the option, and where NO_COLOR is set."""
    from rich.console import Console  # a worker does without it

    plain = no_color or bool(os.environ.get("NO_COLOR"))
    return Console(highlight=False, soft_wrap=soft_wrap, color_system=None if plain else "auto")
