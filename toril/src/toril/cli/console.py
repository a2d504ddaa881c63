"""What commands print with: tables, lines and JSON on standard output, progress on standard error.

rich is imported where it is used: a supervisor of workers does without it, which is four megabytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..failure import one_line
from ..job import Json

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 10_000
"""Columns of a table that goes into a pipe or a file, where nothing is cut off."""


def console(no_color: bool, *, errors: bool = False) -> Console:
    """A console for standard output, or for errors.

    It prints no escape sequences at all into pipes and files, where NO_COLOR is set, or with `no_color`.
    """
    from rich.console import Console

    plain = no_color or bool(os.environ.get("NO_COLOR"))
    made = Console(stderr=errors, color_system=None if plain else "auto", highlight=False, markup=False)
    if not made.is_terminal:
        made.width = WIDEST
    return made


def print_json(value: Json) -> None:
    """Print a value as JSON, all of it in ASCII: terminals obey other characters."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


class Printer:
    """Prints what a command has found, for people.

    Args:
        no_color: Whether colours are off, whatever the terminal can do.
    """

    def __init__(self, no_color: bool) -> None:
        self._console = console(no_color)

    def line(self, text: str, style: str = "") -> None:
        """Print one line; what cannot be printed becomes its escape."""
        from rich.text import Text

        self._console.print(Text(one_line(text), style=style), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
        """Print rows under column names; `right` are the columns whose cells stand to the right."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, column in enumerate(columns):
            last = place == len(columns) - 1
            table.add_column(
                column,
                justify="right" if column in right else "left",
                no_wrap=True,
                overflow="ellipsis",
                ratio=1 if last and self._console.is_terminal else None,
            )
        for row in rows:
            table.add_row(*(Text(one_line(cell)) for cell in row))
        self._console.print(table)


@contextlib.contextmanager
def progress(total: int, label: str, no_color: bool) -> Iterator[Callable[[int], None]]:
    """Show how far a loop has come, on a terminal, while it takes; yields a call for each step's size."""
    shown = console(no_color, errors=True)
    if not shown.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=shown, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)
