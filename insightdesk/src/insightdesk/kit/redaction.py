"""What is personal or secret is taken out before something is shown, stored beside its purpose, or logged.

A job's fields are declared where the job is: `email: Private[str]` in the handler's signature. Fields that
nobody declared are judged by their names, and shown only if the name is known to be harmless.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

import msgspec

__all__ = [
    "HIDDEN",
    "PRIVATE",
    "Private",
    "is_private_name",
    "is_storable",
    "mask",
    "private_texts",
    "redact",
]

T = TypeVar("T")

PRIVATE = msgspec.Meta(extra={"private": True})
Private = Annotated[T, PRIVATE]
"""The type of a payload's field whose value is personal or secret: `email: Private[str]`."""

HIDDEN = "[redacted]"
"""What stands in place of a value that is not shown."""

_PRIVATE_NAME = re.compile(
    r"mail|address|phone|subject|body|html|text|content|message$|comment|note|password|passwd|secret|token"
    r"|authorization|cookie|credential|api_?key|name$|^(to|from|cc|bcc|data|payload|ip|iban)$|card|birth",
    re.IGNORECASE,
)
_HARMLESS_NAME = re.compile(
    r"^(id|action|date|kind|metric|priority|queue|state|status|template|type|version|week)$"
)
_ID_NAME = re.compile(r"(Ids?|At|Type)$|_(ids?|at|type)$")
ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"]{1,64}@[\w.-]{1,253}\b")
"""An e-mail address, as it may stand in a text."""

_SECRET = re.compile(
    r"(?i)(\bbearer\s+)\S+|\b(idk_)[\w-]{8,}|(\b\w+://)[^\s/@]{1,200}:[^\s/@]{1,200}@"
    r"|(\b(?:password|passwd|secret|token|api_?key)\s*[=:]\s*)[^\s,;&]{1,200}"
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DEPTH = 6  # levels of a payload that are looked into
_ITEMS = 50  # of a list or an object
_LENGTH = 500  # characters of a value


def is_private_name(name: str) -> bool:
    """Whether a field of this name is taken for personal or secret; an id is neither."""
    return _ID_NAME.search(name) is None and _PRIVATE_NAME.search(name) is not None


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold a text: it has no NUL and no lone surrogate. In JSON a NUL is an escape."""
    return _UNSTORABLE.search(text) is None


def mask(text: str, private: frozenset[str] = frozenset()) -> str:
    """A text without addresses, secrets and the given words, and fit for PostgreSQL (no NUL)."""
    for word in sorted(private, key=len, reverse=True):
        text = text.replace(word, HIDDEN)
    text = _SECRET.sub(lambda found: f"{next((each for each in found.groups() if each), '')}{HIDDEN}", text)
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", ADDRESS.sub("[address]", text))


def redact(data: object, declared: Mapping[str, bool] | None = None) -> dict[str, Any]:
    """A payload as people may see it: at most 50 fields, six levels deep, values cut to 500 characters.

    Args:
        data: whatever the job carries.
        declared: the fields of the job's type, by their names on the wire, and whether each is private.
    """
    if not isinstance(data, dict):
        return {} if data is None else {"payload": HIDDEN}
    known = declared or {}
    return {
        _name(field): _value(value, 1) if _may_show(str(field), known.get(str(field))) else HIDDEN
        for field, value in list(data.items())[:_ITEMS]
    }


def private_texts(data: object, declared: Mapping[str, bool] | None = None) -> frozenset[str]:
    """The texts of a payload that `redact` hides, for `mask` to find them in an error's message."""
    if not isinstance(data, dict):
        return frozenset()
    known = declared or {}
    found: set[str] = set()
    for field, value in list(data.items())[:_ITEMS]:
        if not _may_show(str(field), known.get(str(field))):
            found.update(text for text in _texts(value, 1) if len(text.strip()) >= 3)
    return frozenset(found)


def _may_show(name: str, private: bool | None) -> bool:
    if private is None:
        return (_ID_NAME.search(name) or _HARMLESS_NAME.search(name)) is not None
    return not private and not is_private_name(name)


def _value(value: object, depth: int) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no word for it
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return mask(value[:_LENGTH])
    if depth >= _DEPTH:
        return HIDDEN
    if isinstance(value, list):
        return [_value(each, depth + 1) for each in value[:_ITEMS]]
    if isinstance(value, dict):
        return {
            _name(field): _value(each, depth + 1) if _may_show(str(field), None) else HIDDEN
            for field, each in list(value.items())[:_ITEMS]
        }
    return HIDDEN


def _name(field: object) -> str:
    return mask(str(field)[:100])


def _texts(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value[:_LENGTH]
    elif depth < _DEPTH and isinstance(value, dict | list):
        for each in list(value.values() if isinstance(value, dict) else value)[:_ITEMS]:
            yield from _texts(each, depth + 1)
