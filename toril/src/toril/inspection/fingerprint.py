"""Which failures are of one kind: the same job, the same error, whatever numbers stand in its text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_LIMIT = 1000  # characters of an error's text that count
_RULES = (
    (re.compile(r"[^\s@<>()\[\],;:\"]{1,64}@[\w.-]{1,253}"), "<address>"),
    (re.compile(r"\b\w{1,20}://\S{1,300}"), "<url>"),
    # A word with a digit in it, eight characters or more: UUIDs, hashes, ids.
    (re.compile(r"\b(?=[A-Za-z_-]{0,64}\d)[\w-]{8,}"), "#"),
    (re.compile(r"\b0x[0-9a-fA-F]+|[-+]?\d+(?:[.,:]\d+)*"), "#"),
    (re.compile(r"\s+"), " "),
)
_PYTHON = "Traceback (most recent call last):"
_CLASS = re.compile(r"^(?:\s*[|+] )?([A-Za-z_][\w.]{0,200})(?::|$)")
_PYTHON_FRAME = re.compile(r'^\s*File "([^"]{1,500})", line \d+, in (\S{1,200})')
_NODE_FRAME = re.compile(r"^\s*at (?:async )?(?:(\S{1,200}) )?\(?(.{1,500}?)(?::\d+){0,2}\)?$")


@dataclass(frozen=True, slots=True)
class Kind:
    """What failures of one kind have in common.

    Attributes:
        name: The job's name.
        error: The name of the error's class; empty if no stack trace tells it.
        text: The error's text with `#` for numbers and ids.
        place: The innermost function in the stack trace, as `file:function`; empty if none tells it.
    """

    name: str
    error: str
    text: str
    place: str

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits, equal for failures of one kind."""
        parts = "\0".join((self.name, self.error, self.text, self.place))
        return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:16]


def kind_of(name: str, reason: str, trace: str) -> Kind:
    """The kind of a failure.

    Args:
        name: The job's name.
        reason: The error's text.
        trace: The stack trace of the last run, of Python or Node; its end is enough of Python's.
    """
    return Kind(name, error_class(trace), normalised(reason), place(trace))


def normalised(text: str) -> str:
    """An error's text without numbers, ids and addresses."""
    text = text[:_LIMIT]
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text.strip()


def error_class(trace: str) -> str:
    """The name of the error's class, as a stack trace of Python or Node tells it; empty if it does not."""
    for line in _own_lines(trace):
        found = _CLASS.match(line)
        if found:
            return found[1].rpartition(".")[2]
    return ""


def place(trace: str) -> str:
    """The innermost function of a stack trace as `file:function`, without its line; empty if none."""
    found = ""
    for line in _own_lines(trace):
        if match := _PYTHON_FRAME.match(line):
            found = f"{_file(match[1])}:{match[2]}"  # the last one is the innermost
        elif not found and (match := _NODE_FRAME.match(line)):
            found = f"{_file(match[2])}:{match[1] or ''}"
    return found


def _own_lines(trace: str) -> list[str]:
    """The lines of the error itself, not of those that it came from; a trace may begin in its middle."""
    lines = trace.splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() == _PYTHON]
    return lines[starts[-1] + 1 :] if starts else lines


def _file(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]
