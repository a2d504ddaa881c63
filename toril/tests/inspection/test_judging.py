"""The judgement is total: whatever the facts are, it says something that can be shown."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from toril.inspection.judging import judge
from toril.job import JobState
from toril.storage.cards import WorkerCard
from toril.storage.explaining import FIELDS, Facts
from toril.storage.scripts import source

NOW = 1_790_000_000_000
NUMBERS = st.integers(-10, 2 * NOW)
BYTES = st.one_of(st.binary(max_size=20), NUMBERS.map(lambda number: str(number).encode()))
CARDS = st.builds(
    WorkerCard,
    name=st.sampled_from(["a", "b"]),
    host=st.just("h"),
    process=st.integers(1, 9),
    concurrency=st.integers(1, 9),
    paused=st.booleans(),
    jobs=st.one_of(st.none(), st.lists(st.text(max_size=3), max_size=3)),
    limiter=st.one_of(st.none(), st.tuples(st.integers(1, 9), st.floats(0.1, 9))),
)
FACTS = st.builds(
    Facts,
    state=st.sampled_from(["missing", *JobState]),
    now_ms=st.just(NOW),
    job=st.dictionaries(st.sampled_from([name.encode() for name in FIELDS]), BYTES),
    paused=st.booleans(),
    concurrency=st.one_of(st.none(), st.integers(-1, 9)),
    max=st.one_of(st.none(), st.integers(-1, 9)),
    started=st.one_of(st.none(), st.integers(0, 2**53)),
    window_ms=st.integers(-2, 10**9),
    running=st.integers(0, 9),
    waiting=st.integers(0, 10**6),
    score=st.one_of(st.none(), st.floats(0, 2**53)),
    before=st.one_of(st.none(), st.integers(0, 10**6)),
    token=st.one_of(st.none(), st.text(max_size=5)),
    lock_ms=st.integers(-2, 10**6),
    holder_dead_at=st.one_of(st.none(), st.integers(NOW - 9999, NOW + 9999)),
    holder=st.one_of(st.none(), CARDS),
    marked=st.booleans(),
    check_ms=st.integers(-2, 10**6),
    pending=st.integers(0, 99),
    children=st.dictionaries(
        st.text(max_size=5), st.sampled_from(["failed", "missing", "active"]), max_size=3
    ),
    followed=st.booleans(),
    follows=st.booleans(),
    events=st.lists(
        st.tuples(
            st.integers(0, 2 * NOW),
            st.dictionaries(
                st.sampled_from([b"event", b"jobId", b"deduplicatedJobId", b"prev", b"failedReason"]),
                st.one_of(BYTES, st.sampled_from([b"removed", b"failed", b"deduplicated", b"1"])),
            ),
        ),
        max_size=3,
    ),
    workers=st.integers(0, 3),
    cards=st.lists(st.tuples(st.integers(NOW - 9, NOW + 9), st.one_of(st.none(), CARDS)), max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(FACTS, st.one_of(st.none(), st.lists(st.one_of(st.none(), st.sampled_from(["a", "b"])), max_size=3)))
def test_whatever_the_facts_are_something_is_said(facts: Facts, connected: list[str | None] | None) -> None:
    found = judge("q", "1", facts, connected)
    assert found.reasons
    assert (found.state is None) == (facts.state == "missing")
    assert json.loads(json.dumps(found.as_dict()))["reasons"]
    lines = str(found).splitlines()
    assert len(lines) == 1 + len(found.reasons) + len(found.advice)
    assert all(line.isprintable() for line in lines)


def test_the_script_reads_the_same_fields() -> None:
    text = source("explain_job")
    named = text[text.index("local FIELDS = {") :].partition("}")[0]
    assert tuple(part.strip(" '\n") for part in named.partition("{")[2].split(",") if part.strip()) == FIELDS
