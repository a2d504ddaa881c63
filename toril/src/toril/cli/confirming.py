"""Asks before a command does something to many jobs."""

from __future__ import annotations

import sys

import typer

from .telling import NotDone


def be_sure(question: str, count: int, yes: bool, expected: int | None) -> None:
    """Return if `count` jobs are meant.

    Args:
        question: What is to be done to how many.
        count: How many were found.
        yes: Whether the user has said so beforehand.
        expected: How many the user has said that there are.

    Raises:
        NotDone: they are not meant, or nobody can be asked.
    """
    if expected is not None and expected != count:
        raise NotDone(f"nothing was done: it would be {count:,} jobs, not {expected:,}")
    if yes or expected is not None or count == 0:
        return
    if not sys.stdin.isatty():
        raise NotDone(f"nothing was done: {question}? Say --yes, or --count {count}")
    answer = typer.prompt(f"{question}? Type {count} to go on", default="", show_default=False, err=True)
    if answer.replace(",", "").strip() != str(count):
        raise NotDone("nothing was done")
