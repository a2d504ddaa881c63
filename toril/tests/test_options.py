"""Options: what goes in comes out, and backoffs stay within their bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toril
from toril.codec import decode_options, encode_options

whole_ms = st.integers(0, 10**9).map(lambda ms: ms / 1000)
keeps = st.builds(
    toril.Keep, count=st.none() | st.integers(0, 10**6), age=st.none() | st.integers(0, 10**6).map(float)
)
options = st.fixed_dictionaries(
    {},
    optional={
        "delay": whole_ms,
        "priority": st.integers(0, 2**21 - 1),
        "attempts": st.integers(1, 100),
        "backoff": st.builds(
            toril.Backoff, st.sampled_from(["fixed", "exponential", "mine"]), whole_ms, st.floats(0, 1)
        ),
        "job_id": st.text(min_size=1, max_size=50).filter(
            lambda text: ":" not in text and not text.isdigit()
        ),
        "lifo": st.booleans(),
        "deduplication": st.builds(
            toril.Deduplication,
            st.text(min_size=1, max_size=20),
            st.none() | st.integers(1, 10**9).map(lambda ms: ms / 1000),
        ),
        "timeout": st.integers(1, 10**9).map(lambda ms: ms / 1000),
        "keep_completed": keeps,
        "keep_failed": keeps,
        "trace_context": st.sampled_from([None, '{"traceparent":"00-1-2-01"}', '{"k":"ž ☃"}']),
        "omit_context": st.booleans(),
    },
)


@given(options)
def test_options_survive_the_wire(given_options: toril.JobKeywords) -> None:
    checked = toril.JobOptions.of(**given_options)
    assert decode_options(encode_options(checked).encode()) == checked


@given(st.integers(1, 200), whole_ms, st.floats(0, 1), st.floats(0, 1))
def test_a_backoff_stays_between_its_bounds(made: int, delay: float, jitter: float, rand: float) -> None:
    longest = toril.Backoff.exponential(delay).wait(made)
    wait = toril.Backoff.exponential(delay, jitter=jitter).wait(made, rand)
    assert longest * (1 - jitter) - 1e-6 <= wait <= longest + 1e-6
    assert toril.Backoff.fixed(delay).wait(made) == delay


@pytest.mark.parametrize(
    ("wire", "keep"),
    [
        (b'{"removeOnComplete": true}', toril.Keep(count=0)),
        (b'{"removeOnComplete": false}', toril.Keep()),
        (b'{"removeOnComplete": 7}', toril.Keep(count=7)),
        (b'{"removeOnComplete": {"age": 60, "limit": 5}}', toril.Keep(age=60.0)),
        (b"{}", None),
    ],
)
def test_node_s_retention_is_read(wire: bytes, keep: toril.Keep | None) -> None:
    assert decode_options(wire).keep_completed == keep


@pytest.mark.parametrize(
    "wire", [b"[]", b"{", b'{"attempts": "many"}', b'{"de": {"ttl": 1}}', b'{"backoff": {"delay": 1}}']
)
def test_malformed_options_are_told(wire: bytes) -> None:
    with pytest.raises(toril.InvalidPayload):
        decode_options(wire)
