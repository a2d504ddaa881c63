"""The small parts of the dashboard: addresses, words, pictures, what is hidden."""

from __future__ import annotations

import math
import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toril.inspection.histogram import Histogram
from toril.web import Place, charts, hide_secrets, words
from toril.web.links import Links, segment, unsegment

DATA = Place("email", "welcome", "data")
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=200, deadline=None)
@given(texts | st.sampled_from(["..", ".", "~1", "a/b", "%2f", "~3", "\\", "?#&"]))
def test_any_text_is_one_segment_of_a_path(text: str) -> None:
    written = segment(text)
    assert not re.search(r"[/\\?#]", written)
    assert not re.search(r"[/\\]", unquote(written))
    assert unquote(written) not in {".", ".."}
    assert unsegment(unquote(written)) == text


@settings(max_examples=100, deadline=None)
@given(texts)
def test_the_way_back_is_ours_or_the_overview(text: str) -> None:
    for links in (Links(""), Links("/jobs")):
        for asked in (text, f"/{text}", f"//{text}", f"/jobs/{text}"):
            back = links.back(asked)
            parts = urlsplit(back)
            assert (parts.scheme, parts.netloc) == ("", "")
            assert back.startswith(f"{links.root}/")
            assert not re.search(r"[\r\n\\]", back)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, words.NOTHING), (0, "0 s"), (0.0004, "0.4 ms"), (0.012, "12 ms"), (3.42, "3.4 s"),
        (30, "30 s"), (300, "5 min"), (90, "1.5 min"),
        (7500, "2 h 05 min"), (273600, "3 d 4 h"), (math.nan, words.NOTHING),
    ],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("a_second", "text"), [(0, "0"), (0.05, "3/min"), (0.004, "0"), (1.26, "1.3/s"), (1240.4, "1,240/s")]
)
def test_rates(a_second: float, text: str) -> None:
    assert words.rate(a_second) == text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 7200), st.floats(0, 1e9)), max_size=20), st.floats(0, 1e9))
def test_a_line_stays_in_its_picture(points: list[tuple[float, float]], most: float) -> None:
    top = charts.round_top(max([most, *(value for _, value in points)]))
    assert top >= most
    frame = charts.Frame(3600, 7200, top)
    for path in (charts.line(sorted(points), frame), charts.area(sorted(points), frame)):
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path):
            assert 0 <= float(x) <= frame.width
            assert 0 <= float(y) <= frame.height


def test_a_line_is_broken_where_nobody_watched() -> None:
    frame = charts.Frame(0, 1000, 10, width=1000, height=10)
    assert charts.line([(0, 0), (100, 5), (900, 10)], frame) == "M0.0 10.0h.01L100.0 5.0M900.0 0.0h.01"
    assert charts.line([], frame) == charts.area([], frame) == ""


def test_bars_have_their_range_as_label() -> None:
    bars = charts.bars(Histogram.of([0, 5, 5, 6000]))
    assert [(bar.label, bar.count) for bar in bars if bar.count] == [
        ("below 1 ms", 1), ("4 ms to 8 ms", 2), ("4.1 s to 8.2 s", 1),
    ]  # fmt: skip
    assert charts.bars(Histogram()) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"user": "ann", "Password": "x"}, {"user": "ann", "Password": "[hidden]"}),
        ([{"api_key": {"a": 1}}], [{"api_key": "[hidden]"}]),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"),
        ("at https://bob:pw@db/x", "at https://[hidden]@db/x"),
        ("password='a b', token=x;", "password='[hidden] b', token=[hidden];"),
        ({"text": "secret: s3, fine"}, {"text": "secret: [hidden], fine"}),
        (17, 17),
    ],
)
def test_what_bears_the_name_of_a_secret_is_hidden(value: object, shown: object) -> None:
    assert hide_secrets(value, DATA) == shown
