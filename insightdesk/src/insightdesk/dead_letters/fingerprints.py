"""Which failures are of one kind: the same job type, the same error, whatever numbers stand in its text."""

from __future__ import annotations

import hashlib
import re

from insightdesk.kit.redaction import ADDRESS

__all__ = ["error_class", "fingerprint", "normalised"]

_LIMIT = 1000  # characters of an error's text that count
_RULES = (
    (ADDRESS, "<address>"),
    (re.compile(r"\b\w{1,20}://\S{1,300}"), "<url>"),
    # A word with a digit in it, eight characters or more: UUIDs, hashes, ids of jobs.
    (re.compile(r"\b(?=[A-Za-z_-]{0,64}\d)[\w-]{8,}"), "#"),
    (re.compile(r"\b0x[0-9a-fA-F]+|[-+]?\d+(?:[.,:]\d+)*"), "#"),
    (re.compile(r"\s+"), " "),
)
_PYTHON = "Traceback (most recent call last):"
_CLASS = re.compile(r"^([A-Za-z_][\w.]{0,200})(?::|$)")


def normalised(text: str) -> str:
    """An error's text without numbers, ids and addresses."""
    text = text[:_LIMIT]
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text.strip()


def error_class(trace: str) -> str:
    """The name of the error's class, as a stack trace of Python or Node tells it; empty if it does not."""
    lines = trace.splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() == _PYTHON]
    for line in lines[starts[-1] + 1 :] if starts else lines[:1]:
        found = _CLASS.match(line)
        if found:
            return found[1].rpartition(".")[2]
    return ""


def fingerprint(queue: str, name: str, kind: str, error: str) -> str:
    """Sixteen hexadecimal digits, equal for failures of one kind."""
    parts = "\0".join((queue, name, kind, normalised(error)))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:16]
