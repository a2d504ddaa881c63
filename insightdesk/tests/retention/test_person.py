"""Finding a person in texts and payloads, and taking her out: pure rules."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insightdesk.retention.person import Gone, Person, is_anothers, without

ANN = Person("org-1", "user-1", "ann@x.example", "Ann O'Brien")

texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10)
    | st.sampled_from(["user-1", "ann@x.example", "Ann O'Brien", "Dear Ann O'Brien, <ann@x.example>"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("abcd"), children),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "ann@x.example", "ANN@X.EXAMPLE", "<ann@x.example>", "mailto:ann@x.example?x", "by Ann O'Brien.",
        "ANN O'BRIEN", html.escape("by Ann O'Brien"), "id user-1", json.dumps("Ann O'Brien"),
        "by Ann O&#39;Brien",
    ],
)  # fmt: skip
def test_she_is_found(text: str) -> None:
    assert ANN.is_in(text)
    assert not ANN.is_in(ANN.without(text))


@pytest.mark.parametrize(
    "text", ["joann@x.example", "ann@x.example-2.org", "ann.b@x.example2", "JoAnn O'Brien", "Ann", "O'Brien"]
)
def test_another_is_not_taken_for_her(text: str) -> None:
    assert not ANN.is_in(text)
    assert ANN.without(text) == text


def test_a_name_that_another_has_too_is_left() -> None:
    nameless = Person("org-1", "user-1", "ann@x.example", "")
    assert nameless.without("Ann O'Brien, ann@x.example") == "Ann O'Brien, [erased]"


@pytest.mark.parametrize(
    "field", ["to", "email", "recipientId", "userId", "agentId", "adminId", "requestedBy"]
)
def test_a_job_that_is_for_her_alone_is_gone(field: str) -> None:
    value = "ann@x.example" if field in ("to", "email", "recipient") else "user-1"
    assert without({field: value, "more": [1]}, ANN) is Gone.GONE


def test_a_job_that_names_her_goes_on_without_her() -> None:
    data = {"ticketId": "t", "actorId": "user-1", "recipientIds": ["user-2", "user-1"], "n": 1, "none": None,
            "body": "Ann O'Brien (ann@x.example) wrote", "to": "gus@x.example"}  # fmt: skip
    assert without(data, ANN) == {
        "ticketId": "t", "actorId": None, "recipientIds": ["user-2"], "n": 1, "none": None,
        "body": "[erased] ([erased]) wrote", "to": "gus@x.example",
    }  # fmt: skip


@given(texts)
def test_nothing_names_her_afterwards(data: Any) -> None:
    rest = without(data, ANN)
    if not isinstance(rest, Gone):
        assert not ANN.is_in(json.dumps(rest))


@given(texts)
def test_what_does_not_name_her_stays_as_it_is(data: Any) -> None:
    stranger = Person("org-1", "nobody-9", "zed@y.example", "Zed Nobody")
    assert without(data, stranger) == data


@pytest.mark.parametrize(
    ("data", "anothers"),
    [
        ({"organizationId": "org-2", "to": "ann@x.example"}, True),
        ({"organizationId": "org-1", "to": "ann@x.example"}, False),
        ({"userId": "user-of-org-2", "email": "ann@x.example"}, True),
        ({"userId": "user-1", "email": "ann@x.example"}, False),
        ({"to": "ann@x.example"}, False),
        ({"recipientId": "user-2", "actorId": "user-1"}, False),
        ("ann@x.example", False),
    ],
)
def test_people_of_two_organizations_may_share_an_address(data: Any, anothers: bool) -> None:
    assert is_anothers(data, ANN) is anothers
