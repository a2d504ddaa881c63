"""The formats by themselves: what is hostile becomes text, what is long is cut, what is counted adds up."""

from __future__ import annotations

import csv
import re
import zipfile
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from insightdesk.reports.exports.formats import open_writer
from insightdesk.reports.exports.formats.formulas import is_formula, neutral
from insightdesk.reports.exports.formats.tally import Tally, by_period
from insightdesk.reports.exports.formats.xlsx import MAX_TEXT, XlsxWriter
from insightdesk.reports.exports.models import ExportFormat
from insightdesk.reports.exports.table import Chart, ChartKind, Column, Heading, Kind, Row

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 29, 12, 0, tzinfo=BERLIN)
HEADING = Heading("Tickets", "Ärger & Söhne <GmbH>", "Europe/Berlin", NOW, (("Period", "all"),))
COLUMNS = (
    Column("Number", Kind.NUMBER),
    Column("Subject"),
    Column("Created", Kind.MOMENT),
    Column("Kept", Kind.PERCENT),
)
CHARTS = (Chart("Created", ChartKind.TIME, 2), Chart("Subjects", ChartKind.PARTS, 1))

HOSTILE = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =cmd|' /C calc'!A0", "\u200b=1", "\ufeff=1",
    "\uff1d1", "\xa0@x", "=HYPERLINK(\"http://x\",\"y\")", "\x00=1", "\t", "\u202e=1",
]  # fmt: skip


def write(format: ExportFormat, path: Path, rows: list[Row]) -> Path:
    writer = open_writer(format, path, HEADING, COLUMNS, CHARTS, byte_order_mark=False, font=None)
    writer.write(rows)
    writer.close()
    return path


def sheet(path: Path, number: int = 1) -> str:
    with zipfile.ZipFile(path) as book:
        return book.read(f"xl/worksheets/sheet{number}.xml").decode()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_formula_is_told_from_text(text: str) -> None:
    assert is_formula(text)
    assert neutral(text) == "'" + text


@pytest.mark.parametrize("text", ["", "Printer", "1=1", "a-b", "mail@example.com", "'=1", "5", "é", "漢字"])
def test_text_stays_as_it_is(text: str) -> None:
    assert neutral(text) == text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
        min_size=1,
        max_size=5,
    )
)
def test_no_cell_of_a_csv_is_a_formula_and_none_is_lost(tmp_path: Path, subjects: list[str]) -> None:
    path = write(ExportFormat.CSV, tmp_path / "a.csv", [(1, text, NOW, None) for text in subjects])
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    assert [
        row[1].removeprefix("'") if is_formula(text) else row[1]
        for row, text in zip(rows, subjects, strict=True)
    ] == subjects
    assert not any(is_formula(row[1]) for row in rows)
    assert {row[2] for row in rows} == {"2026-03-29T12:00:00+02:00"}


def test_no_cell_of_an_xlsx_is_a_formula_or_a_link(tmp_path: Path) -> None:
    rows: list[Row] = [
        (1, text, NOW, 0.5) for text in [*HOSTILE, "http://example.com", "mailto:a@b.c", "{=1}"]
    ]
    path = write(ExportFormat.XLSX, tmp_path / "a.xlsx", rows)
    text = sheet(path)
    assert "<f>" not in text
    assert "<hyperlink" not in text
    assert text.count('t="inlineStr"') == len(rows) + len(COLUMNS)
    with zipfile.ZipFile(path) as book:
        assert 'quotePrefix="1"' in book.read("xl/styles.xml").decode()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.xlsx"]


def test_the_columns_of_an_xlsx_are_wide_enough_for_their_heads_and_moments(tmp_path: Path) -> None:
    made = sheet(write(ExportFormat.XLSX, tmp_path / "a.xlsx", [(1, "Printer", NOW, 0.5)]))
    (created,) = re.findall(r'<col min="3" max="3" width="([\d.]+)"', made)
    assert float(created) >= len("Created (Europe/Berlin)") + 2


def test_an_xlsx_goes_on_on_a_further_sheet(tmp_path: Path) -> None:
    writer = XlsxWriter(tmp_path / "a.xlsx", HEADING, COLUMNS, max_rows=11)
    writer.write([(number, "x", None, None) for number in range(25)])
    writer.close()
    assert [sheet(tmp_path / "a.xlsx", number).count("<row ") for number in (1, 2, 3)] == [11, 11, 6]
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        assert re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode()) == [
            "Tickets",
            "Tickets 2",
            "Tickets 3",
        ]


def test_moments_of_an_xlsx_are_local_and_its_head_names_the_zone(tmp_path: Path) -> None:
    text = sheet(write(ExportFormat.XLSX, tmp_path / "a.xlsx", [(1, "x" * 40_000, NOW, 1.0)]))
    assert "Created (Europe/Berlin)" in text
    assert "<v>46110.5</v>" in text  # noon of 2026-03-29, days since 1899-12-30
    assert "x" * (MAX_TEXT - 1) + "…" in text
    assert "x" * MAX_TEXT not in text


def test_what_is_given_up_leaves_nothing_open(tmp_path: Path) -> None:
    for format in ExportFormat:
        writer = open_writer(
            format, tmp_path / f"a.{format}", HEADING, COLUMNS, CHARTS, byte_order_mark=False, font=None
        )
        writer.write([(1, "x", NOW, 0.1)])
        writer.abandon()
    assert {entry.name for entry in tmp_path.iterdir()} <= {"a.csv"}


def test_a_pdf_prints_the_first_rows_and_bears_any_text(tmp_path: Path) -> None:
    texts = ["<b>&amp;</b>", "Ärger", "漢字 \U0001f600", "a" * 5000, "line\nbreak\x07", "", "=1+1"]
    rows: list[Row] = [
        (number, texts[number % len(texts)], NOW - timedelta(days=number), 0.25) for number in range(1500)
    ]
    content = write(ExportFormat.PDF, tmp_path / "a.pdf", rows).read_bytes()
    assert content.startswith(b"%PDF-")
    pages = content.count(b"/Type /Page\n")
    assert 30 <= pages <= 40  # one page of pictures, a thousand rows


def test_a_pdf_of_nothing_is_made(tmp_path: Path) -> None:
    assert write(ExportFormat.PDF, tmp_path / "a.pdf", []).read_bytes().count(b"/Type /Page\n") == 1


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.dates(date(1999, 1, 1), date(2030, 12, 31)), st.integers(1, 1000), max_size=30))
def test_bars_add_up_in_order_and_are_few(days: dict[date, int]) -> None:
    bars = by_period(Counter(days))
    assert sum(value for _, value in bars) == sum(days.values())
    assert len(bars) <= 41
    assert (bars == []) is (days == {})


def test_rates_are_shares_of_kept_and_missed() -> None:
    tally = Tally(Chart("Kept", ChartKind.RATE, 0, good=1, bad=2))
    tally.add([("2026-W12", 3, 1), ("2026-W13", 0, 0), ("2026-W12", 0, 4), ("2026-W11", 1, 0)])
    assert tally.bars() == [("2026-W11", 100.0), ("2026-W12", 37.5)]


def test_parts_beyond_the_eighth_are_gathered() -> None:
    tally = Tally(Chart("Who", ChartKind.PARTS, 0))
    tally.add([(f"person {number}",) for number in range(12) for _ in range(20 - number)])
    bars = tally.bars()
    assert (bars[0], len(bars), bars[-1]) == (("person 0", 20), 9, ("others", 12 + 11 + 10 + 9))
