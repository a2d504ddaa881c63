"""Whom to erase, and finding her in texts and payloads: pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import toril

ERASED = "[erased]"
"""What stands where a name or an address stood."""

_WHOSE_ID = frozenset({"recipientId", "userId", "agentId", "adminId", "requestedBy"})
_WHOSE_ADDRESS = frozenset({"to", "email", "recipient"})
FOR_WHOM = _WHOSE_ID | _WHOSE_ADDRESS
"""The fields of payloads that say for whom a job is; one that is for her alone is not needed any more."""


def nowhere(user_id: str) -> str:
    """An address that no mail can be sent to (RFC 2606), one for each erased person."""
    return f"{user_id}@erased.invalid"


class Gone(Enum):
    """What is left of a payload that was for her alone."""

    GONE = 1


@dataclass(frozen=True)
class Person:
    """The person to erase; ``name`` is empty where it is not to be looked for."""

    organization_id: str
    user_id: str
    email: str
    name: str

    @property
    def no_address(self) -> str:
        """An address that is nobody's, and no other erased person's."""
        return nowhere(self.user_id)

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Regular expressions that Python and PostgreSQL read alike: the address, then the name, each as a
        whole, as they are and as JSON and HTML write them."""
        found = [rf"(?<![\w.+-]){re.escape(self.email)}(?![\w-])"]
        # Python and Jinja write quotes differently.
        in_html = html.escape(self.name)
        in_mails = in_html.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        for written in sorted({self.name, json.dumps(self.name)[1:-1], in_html, in_mails} - {""}):
            found.append(rf"(?<!\w){re.escape(written)}(?!\w)")
        return tuple(found)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile("|".join(self.patterns), re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        """Whether a text names her: by name, address or id."""
        return self.user_id in text or self._expression.search(text) is not None

    def without(self, text: str) -> str:
        """The text without her."""
        return self._expression.sub(ERASED, text).replace(self.user_id, ERASED)


def without(data: toril.Json, person: Person) -> toril.Json | Gone:
    """A payload without her.

    Returns:
        `Gone.GONE` when a field says that the job is for her alone. In lists of ids hers is left out; other
        fields that hold her id become null; in longer texts name and address are replaced.
    """
    if isinstance(data, Mapping):
        for name in FOR_WHOM & data.keys():
            value = data[name]
            if isinstance(value, str) and person.is_in(value):
                return Gone.GONE
    return _scrubbed(data, person)


def is_anothers(data: toril.Json, person: Person) -> bool:
    """Whether a payload that names her is another's: people of two organizations may share an address."""
    if not isinstance(data, Mapping):
        return False
    if data.get("organizationId", person.organization_id) != person.organization_id:
        return True
    ids = {data[field] for field in _WHOSE_ID & data.keys() if isinstance(data[field], str)}
    return bool(_WHOSE_ADDRESS & data.keys() and ids and person.user_id not in ids)


def _scrubbed(data: toril.Json, person: Person) -> toril.Json:
    if isinstance(data, str):
        return None if data == person.user_id else person.without(data)
    if isinstance(data, Mapping):
        return {person.without(key): _scrubbed(value, person) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_scrubbed(value, person) for value in data if value != person.user_id]
    return data
