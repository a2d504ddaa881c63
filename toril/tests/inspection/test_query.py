"""What people type to find jobs."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import toril
from toril import InvalidOption, Job, Json
from toril.inspection.query import Query


def job(data: Json, *, job_id: str = "7", name: str = "welcome", error: str | None = None) -> Job:
    fields = {b"name": name.encode(), b"data": msgspec.json.encode(data), b"atm": b"2", b"priority": b"5"}
    if error is not None:
        fields[b"failedReason"] = error.encode()
    return Job(toril.Queue("q"), job_id, fields)


def fits(text: str, found: Job) -> bool:
    return Query.parse(text).fits(found, lambda each: each.data)


DATA = {
    "userId": "u1",
    "n": 12,
    "deep": {"list": [{"sku": "AB-1"}, {"sku": "CD"}]},
    "yes": True,
    "none": None,
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", True),
        ("data.userId=u1", True),
        ("data.userId=u", False),
        ("data.userId~U", True),
        ("data.n=12", True),
        ("data.n=12.0", True),
        ("data.n>11", True),
        ("data.n<12", False),
        ("data.userId>1", False),
        ("data.deep.list.sku=CD", True),
        ("data.deep.list.0.sku=AB-1", True),
        ("data.deep.list.1.sku=AB-1", False),
        ("data.deep.list.9.sku=AB-1", False),
        ("data.yes=true", True),
        ("data.none=null", True),
        ("data.absent=null", False),
        ("data~ab-1", True),
        ("name=welcome", True),
        ("name=wel", False),
        ("name~WEL", True),
        ("id=7", True),
        ("id=8", False),
        ("error~room", True),
        ('error="no room"', True),
        ('error~"NO  room"', False),
        ("attempts=2", True),
        ("attempts>2", False),
        ("priority<6 name=welcome", True),
        ("priority<6 name=other", False),
        ("AB-1", True),
        ("welcome", True),
        ("room", True),
        ("nothing", False),
        ("a=b", False),
    ],
)
def test_words(text: str, found: bool) -> None:
    assert fits(text, job(DATA, error="no room")) is found


@pytest.mark.parametrize(
    "text",
    ["attempts>x", "attempts=x", "attempts~2", "size>3", "data.n>nan", "x" * 501, "a " * 11, 'foo="a b"'],
)
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(InvalidOption):
        Query.parse(text)


@pytest.mark.parametrize(("text", "job_id"), [("17", "17"), ("id=a", "a"), ("name=x", None), ("a b", None)])
def test_a_word_that_can_be_an_id(text: str, job_id: str | None) -> None:
    assert Query.parse(text).job_id == job_id


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), json_values)
@example('data.a="\\"b"', {"a": '"b'})
def test_any_text_is_read_or_refused_and_judges_any_job(text: str, data: Json) -> None:
    try:
        query = Query.parse(text)
    except InvalidOption:
        return
    assert query.fits(job(data), lambda each: each.data) in {True, False}


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["", "data~", "data.a=", "data.a~", "name~", "id=", "error~"]),
    st.from_regex(r"[a-zA-Z][a-zA-Z0-9_-]{0,3}", fullmatch=True),
    json_values | st.fixed_dictionaries({"a": st.from_regex(r"[a-zA-Z][a-zA-Z0-9_-]{0,3}", fullmatch=True)}),
)
def test_no_job_that_fits_is_passed_over_for_its_texts(prefix: str, word: str, data: Json) -> None:
    """The server leaves out jobs without these texts: none of those may fit."""
    found = job(data, job_id=word, name=f"x{word}", error=word) if word < "n" else job(data)
    query = Query.parse(f"{prefix}{word}")
    stored = b"\n".join(
        [found.id.encode(), *(found.fields.get(each, b"") for each in (b"name", b"data", b"failedReason"))]
    )
    if query.fits(found, lambda each: each.data):
        assert all(text.encode() in stored.lower() for text in query.texts)


def test_what_is_hidden_does_not_fit() -> None:
    query = Query.parse("data.password=x1")
    assert not query.fits(job({"password": "x1"}), lambda each: {"password": "[hidden]"})
