"""Which failures are of one kind."""

from __future__ import annotations

import json
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toril.inspection.failures import last_trace
from toril.inspection.fingerprint import kind_of, normalised

NODE = (
    "TypeError: Cannot read x of undefined\n    at send (/app/src/mail.js:17:3)\n    at async run (/a.js:5:1)"
)


def python_trace(number: int) -> str:
    def innermost() -> None:
        raise LookupError(f"no user {number}")

    try:
        innermost()
    except LookupError as error:
        try:
            raise ValueError(f"order {number}") from error
        except ValueError as outer:
            return "".join(traceback.format_exception(outer))
    raise AssertionError


def test_a_trace_tells_class_and_place() -> None:
    kind = kind_of("mail", "order 7", python_trace(7))
    assert (kind.error, kind.text, kind.place) == (
        "ValueError",
        "order #",
        "test_fingerprint.py:python_trace",
    )
    node = kind_of("mail", "Cannot read x of undefined", NODE)
    assert (node.error, node.place) == ("TypeError", "mail.js:send")


def test_numbers_ids_and_addresses_make_no_difference() -> None:
    one = kind_of("mail", "order 7 of ann@example.org at 2026-11-25T10:00:00Z, id 3f2b8c1e-aaaa", "")
    two = kind_of("mail", "order 8 of bob@example.com at 2025-01-02T11:22:33Z, id 99c0ffee-bbbb", "")
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != kind_of("other", "order 7", "").fingerprint
    assert kind_of("mail", "no room", "").fingerprint != kind_of("mail", "no rooms", "").fingerprint


@pytest.mark.parametrize("lines", [1, 5, 40])
def test_a_trace_whose_beginning_was_cut_off_tells_the_same(lines: int) -> None:
    traces = json.dumps([python_trace(1), python_trace(2) + "x" * 200 * lines, python_trace(7)]).encode()
    whole = last_trace(traces)
    assert whole == python_trace(7)
    for size in range(200, len(traces), 97):
        cut = last_trace(traces[-size:])
        assert kind_of("mail", "order 7", cut).error in {"ValueError", ""}
        if size > len(python_trace(7)) + 200:
            assert kind_of("mail", "order 7", cut) == kind_of("mail", "order 7", whole)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200), st.binary(max_size=200))
def test_any_failure_has_a_kind(reason: str, trace: str, raw: bytes) -> None:
    kind = kind_of("x", reason, trace)
    assert len(kind.fingerprint) == 16
    assert kind == kind_of("x", reason, trace)
    assert isinstance(last_trace(raw), str)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**12), st.integers(0, 10**12), st.sampled_from(["user %d gone", "%d rows", "in %d s"])
)
def test_a_number_never_makes_a_kind_of_its_own(one: int, two: int, text: str) -> None:
    assert normalised(text % one) == normalised(text % two)
