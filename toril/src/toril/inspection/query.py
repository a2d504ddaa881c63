"""What people type to find jobs: `name=welcome data.userId=u1 error~timeout`, as a value.

A query is words, all of which must hold. A word is `field=text` (is it), `field~text` (has it in it, small
and capital letters alike), `field>number`, `field<number`, or a bare text, which the id, the name, the
payload or the error must have in it. Fields: `id`, `name`, `error`, `attempts`, `priority`, and `data` with
a path into the payload (`data.user.id`, `data.items.0`). A text with spaces stands in double quotes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from ..errors import InvalidOption, InvalidPayload
from ..job import Json
from ..record import Job

Operator = Literal["=", "~", ">", "<"]

LONGEST = 500
"""Characters that a query may have."""
MOST_WORDS = 10
"""Words that a query may have."""

_WORD = re.compile(r'(?:([A-Za-z][\w.\-]*)([=~<>]))?(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_SIGNS: dict[str, Operator] = {"=": "=", "~": "~", ">": ">", "<": "<"}
_FIELDS = frozenset({"id", "name", "error", "attempts", "priority", "data"})
_NUMBERS = frozenset({"attempts", "priority"})
_PLAIN = re.compile(r"[a-z][a-z0-9_\-]*")
"""A word that stands in JSON as it is, and is no number."""

Shown = Callable[[Job], Json]
"""A job's payload as it may be shown: what is hidden cannot be searched for."""


@dataclass(frozen=True, slots=True)
class Word:
    """One condition.

    Attributes:
        field: What it looks at; empty for all texts of a job.
        path: Where in the payload.
    """

    field: str
    path: tuple[str, ...]
    operator: Operator
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions, all of which a job must fulfil."""

    words: tuple[Word, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words)

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read what was typed.

        Raises:
            InvalidOption: it is too long, or a word cannot be meant; the message says which.
        """
        if len(text) > LONGEST:
            raise InvalidOption(f"a search has at most {LONGEST} characters")
        words = tuple(_word(match) for match in _WORD.finditer(text))
        if len(words) > MOST_WORDS:
            raise InvalidOption(f"a search has at most {MOST_WORDS} words")
        return cls(words)

    @property
    def job_id(self) -> str | None:
        """The id that is meant, if the query is of one word that can be an id."""
        if len(self.words) != 1:
            return None
        (word,) = self.words
        means_id = not word.field or (word.field == "id" and word.operator == "=")
        return word.text if means_id else None

    @property
    def texts(self) -> list[str]:
        """Texts in small letters that each job which fulfils it has in its id, name, payload or error."""
        found = []
        for word in self.words:
            if word.operator in "=~" and word.field not in _NUMBERS:
                text = word.text.lower()
                if _PLAIN.fullmatch(text) and text not in {"true", "false", "null"}:
                    found.append(text)
        return found

    def fits(self, job: Job, shown: Shown) -> bool:
        """Whether a job fulfils it."""
        return all(_fits(word, job, shown) for word in self.words)


def _word(match: re.Match[str]) -> Word:
    field, operator, quoted, plain = match.groups()
    sign = _SIGNS.get(operator, "~")
    text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
    if field is None:
        return Word("", (), "~", text)
    name, *path = field.split(".")
    if name not in _FIELDS or (path and name != "data") or "" in path:
        if operator in "<>" or quoted is not None:
            raise InvalidOption(f"{field!r} is no field; there are {', '.join(sorted(_FIELDS))}, data.x.y")
        return Word("", (), "~", match[0])  # a bare text with such a sign in it
    if (operator in "<>" or name in _NUMBERS) and _number(text) is None:
        raise InvalidOption(f"{field}{operator} needs a number, not {text!r}")
    if name in _NUMBERS and operator == "~":
        raise InvalidOption(f"{name} is a number: {name}=, {name}> or {name}<")
    return Word(name, tuple(path), sign, text)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fits(word: Word, job: Job, shown: Shown) -> bool:
    if word.field == "id":
        return _text_fits(word, job.id)
    if word.field == "name":
        return _text_fits(word, job.name)
    if word.field == "error":
        return _text_fits(word, _error(job))
    try:
        if word.field == "attempts":
            return _value_fits(word, job.attempts_made)
        if word.field == "priority":
            return _value_fits(word, job.priority)
        data = shown(job)
    except InvalidPayload:
        data = None
    if word.field == "data":
        return any(_value_fits(word, value) for value in _at(data, word.path))
    return any(_text_fits(word, text) for text in (job.id, job.name, _error(job), as_text(data)))


def _error(job: Job) -> str:
    return job.failed_reason or ""


def _at(value: Json, path: tuple[str, ...]) -> list[Json]:
    """What stands at a path; of a list without a number in the path, each of its items."""
    found = [value]
    for step in path:
        further: list[Json] = []
        for each in found:
            if isinstance(each, dict) and step in each:
                further.append(each[step])
            elif isinstance(each, list):
                if step.isdecimal():
                    further += each[int(step) : int(step) + 1]
                else:
                    further += [item[step] for item in each if isinstance(item, dict) and step in item]
        found = further
    return [item for each in found for item in (each if isinstance(each, list) and each else [each])]


def as_text(value: Json) -> str:
    """A JSON value as it is searched: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _value_fits(word: Word, value: Json) -> bool:
    if word.operator == "~":
        return word.text.lower() in as_text(value).lower()
    wanted = _number(word.text)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if word.operator == "=":
        return as_text(value) == word.text or (is_number and wanted is not None and value == wanted)
    if not is_number or wanted is None:
        return False
    return bool(value > wanted if word.operator == ">" else value < wanted)


def _text_fits(word: Word, text: str) -> bool:
    if word.operator == "~":
        return word.text.lower() in text.lower()
    return word.operator == "=" and text == word.text
