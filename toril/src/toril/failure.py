"""The texts of a failure: its reason and its stack trace, bounded and valid whatever was raised."""

from __future__ import annotations

import signal
import traceback

TEXT_LIMIT = 64 * 1024
"""Bytes of a failed reason or stack trace that are kept."""


def readable(text: str) -> str:
    """Make a text valid Unicode: lone surrogates become their escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def one_line(text: str) -> str:
    """Make a text one harmless line for a terminal or a log: what cannot be printed becomes its escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def bounded(text: str) -> str:
    """Cut a text to `TEXT_LIMIT` bytes and make it valid UTF-8."""
    raw = readable(text).encode()
    return raw[:TEXT_LIMIT].decode("utf-8", "ignore")


def reason_of(error: BaseException) -> str:
    """Return an error's message, bounded, whatever it does when asked for it."""
    try:
        return bounded(str(error)) or type(error).__name__
    except BaseException as broken:  # noqa: BLE001 - a handler's own class: anything may come of it
        return f"{type(error).__name__} (its text cannot be read: {type(broken).__name__})"


def trace_of(error: BaseException) -> str:
    """Return an error's stack trace, bounded, with the innermost calls kept."""
    try:
        return bounded("".join(traceback.format_exception(error, limit=-30)))
    except BaseException:  # noqa: BLE001 - as above
        return f"{type(error).__name__}: {reason_of(error)}"


def how_it_ended(code: int | None) -> str:
    """Say how a process ended, by its return code as `subprocess` has it."""
    if code is None:
        return "closed its connection"
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    return f"died with signal {-code}{name}"
