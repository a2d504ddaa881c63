"""What is hidden before it is shown or searched."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..job import Json

HIDDEN = "[hidden]"
"""What stands in place of a value that is not shown."""

Part = Literal["data", "result", "progress", "error", "stack", "log"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value comes from: `part` of a job of this name in this queue."""

    queue: str
    name: str
    part: Part


Redact = Callable[[Json, Place], Json]
"""Returns a value as it may be shown; of the parts `error`, `stack` and `log` a text."""

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|authorization|cookie|credential|api_?key|private_?key", re.IGNORECASE
)
_SECRET_TEXT = re.compile(
    r"(?i)(\bbearer\s+)[^\s\"']+|(\b\w{1,20}://)[^\s/@]{1,200}:[^\s/@]{1,200}@"
    r"|(\b(?:password|passwd|secret|token|api_?key)[\"']?\s*[=:]\s*[\"']?)[^\s,;&\"']{1,200}"
)


def hide_secrets(value: Json, _place: Place) -> Json:
    """Hide what bears the name of a secret, in payloads at any depth, and in texts behind such a name."""
    return _hidden(value)


def _masked(match: re.Match[str]) -> str:
    lead = next((each for each in match.groups() if each), "")
    return f"{lead}{HIDDEN}" + ("@" if match[0].endswith("@") else "")


def _hidden(value: Json) -> Json:
    if isinstance(value, dict):
        return {
            name: HIDDEN if isinstance(name, str) and _SECRET_NAME.search(name) else _hidden(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_hidden(each) for each in value]
    return _SECRET_TEXT.sub(_masked, value) if isinstance(value, str) else value


def show_all(value: Json, _place: Place) -> Json:
    """Hide nothing."""
    return value
