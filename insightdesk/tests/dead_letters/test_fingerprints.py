"""Failures of one kind have one fingerprint, whatever numbers, ids and addresses their texts hold."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from insightdesk.dead_letters.fingerprints import error_class, fingerprint, normalised

WORDS = st.lists(
    st.sampled_from(["refused", "ticket", "timeout", "no such", "key"]), min_size=1, max_size=4
).map(" ".join)
VARIABLE = st.one_of(
    st.uuids().map(str),
    st.integers(min_value=0, max_value=10**12).map(str),
    st.emails(),
)


@given(WORDS, st.uuids(), st.uuids(), st.integers(0, 10**9), st.integers(0, 10**9))
@settings(max_examples=50, deadline=None)
def test_numbers_and_ids_do_not_count(words: str, one: UUID, other: UUID, first: int, second: int) -> None:
    left = f"{words}: ticket {one} after {first} s, mail to a{first}@example.com"
    right = f"{words}: ticket {other} after {second} s, mail to b{second}@example.org"
    assert fingerprint("q", "n", "E", left) == fingerprint("q", "n", "E", right)


@given(WORDS, VARIABLE)
@settings(max_examples=50, deadline=None)
def test_what_is_variable_leaves_the_text(words: str, value: str) -> None:
    assert value not in normalised(f"{words} {value}.") or value.isalpha()


def test_queue_name_class_and_words_count() -> None:
    base = ("q", "n", "E", "text")
    others = [
        ("r", "n", "E", "text"),
        ("q", "m", "E", "text"),
        ("q", "n", "F", "text"),
        ("q", "n", "E", "word"),
    ]
    assert len({fingerprint(*each) for each in (base, *others)}) == 5


def test_the_class_of_a_python_and_a_node_error() -> None:
    python = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: inner\n\n'
        "The above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "b.py", line 2, in h\n    k()\n'
        "insightdesk.email.providers.base.PermanentRefusal: no\nsuch: mailbox\n"
    )
    assert error_class(python) == "PermanentRefusal"
    assert error_class("TypeError: x is undefined\n    at f (/app/a.js:1:1)") == "TypeError"
    assert error_class("") == ""
    assert error_class("just words without a class") == ""


def test_a_huge_text_takes_no_time() -> None:
    for text in ("a@" * 40_000, "1-" * 40_000, "x" * 80_000, "//" * 40_000):
        assert len(fingerprint("q", "n", "E", text)) == 16
