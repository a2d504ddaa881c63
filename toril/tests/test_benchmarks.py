"""The benchmarks' judgement and report, on made-up figures; and one real run of a peer's contract."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.campaign import turns
from benchmarks.goals import Bound, Ratio, Verdict
from benchmarks.labs.limit import commands_of_scripts
from benchmarks.record import Record
from benchmarks.report import BEGIN, END, RECORD, NoMarkers, between, conditions, write
from benchmarks.scenarios import BY_KEY, SCENARIOS
from benchmarks.sides import ALL, PYTHON_PEERS, SIDES, TORIL

import toril

ROOT = Path(__file__).parents[2]


def record(**rates: float) -> Record:
    made = Record.begin("quick")
    for side, rate in rates.items():
        made.add("noop-50", side.replace("_", "-"), {"rate": rate})
    return made


def peers(rate: float) -> dict[str, float]:
    return {key.replace("-", "_"): rate for key in PYTHON_PEERS}


def test_what_is_measured_again_takes_the_place_of_the_old_figures_and_is_told() -> None:
    found = record(toril=1.0, bullmq=1.0)
    found.add("outbox", TORIL, {"rate": 1.0})
    assert "again" not in conditions(found)
    found.forget(["outbox"])
    found.add("outbox", TORIL, {"rate": 2.0})
    assert [(each.scenario, each.side) for each in found.figures if each.side == TORIL] == [
        ("noop-50", TORIL),
        ("outbox", TORIL),
    ]
    assert found.figures[-1].measures == {"rate": [2.0]}
    assert "since other work had disturbed it: outbox relay." in conditions(found)


def test_every_scenario_of_the_goals_is_there_with_its_goal() -> None:
    goals = {
        key: {each.text for each in scenario.goals} for key, scenario in BY_KEY.items() if scenario.goals
    }
    assert goals == {
        "noop-50": {">= 2x Node BullMQ", ">= 10x each Python peer"},
        "noop-200": {">= 2x Node BullMQ", ">= 10x each Python peer"},
        "noop-1": {">= 2x Node BullMQ"},
        "server-limit": {"share >= 0.70"},
        "add-1": {"share >= 0.90"},
        "add-100": {">= 1.5x Node BullMQ", ">= 10x each Python peer"},
        "add-bulk": {">= 4x Node BullMQ"},
        "roundtrip": {"kept >= 0.80"},
        "sleep-200": {"share >= 0.90"},
        "pickup-idle": {"p50_ms <= 0.50 ms", "p99_ms <= 2.00 ms"},
        "pickup-load": {"p99_ms <= 10.0 ms"},
        "delayed": {"p99_ms <= 5.00 ms", "early <= 0.00"},
        "burst": {"ready >= 50,000/s", "longest_ms <= 5.00 ms"},
        "backlog-1m": {"share >= 0.95"},
        "backlog-10m": {"share >= 0.95"},
        "memory": {"bytes <= 500 B"},
        "worker": {"mb <= 40.0 MB", "cpu_percent <= 1.00 %"},
        "death": {"seconds <= 5.00 s"},
        "outbox": {"rate >= 20,000/s"},
    }


def test_every_peer_has_its_place() -> None:
    folder = ROOT / "benchmarks" / "peers"
    for side in SIDES:
        suffix = "mjs" if side.language == "node" else "py"
        assert (folder / f"{side.module or side.key}.{suffix}").is_file()
        if side.language == "python" and side.key != TORIL:
            pins = (folder / f"{side.venv or side.key}.txt").read_text().split()
            assert all("==" in pin for pin in pins), side.key


@pytest.mark.parametrize(
    ("theirs", "verdict"), [(100.0, Verdict.MET), (50.0, Verdict.MET), (101.0, Verdict.MISSED)]
)
def test_a_ratio_is_judged_by_medians(theirs: float, verdict: Verdict) -> None:
    made = record(toril=200.0, bullmq=theirs)
    made.add("noop-50", "bullmq", {"rate": theirs})
    made.add("noop-50", "bullmq", {"rate": 1e9})
    assert Ratio(2.0, "Node BullMQ").judge(made, "noop-50").verdict is verdict


def test_each_python_peer_means_the_fastest_and_all_of_them() -> None:
    goal = Ratio(10.0, "each Python peer")
    assert goal.judge(record(toril=100.0, **peers(10.0)), "noop-50").verdict is Verdict.MET
    found = goal.judge(record(toril=100.0, **(peers(1.0) | {"saq": 11.0})), "noop-50")
    assert (found.verdict, found.measured) == (Verdict.MISSED, "9.1x (saq); 11 of 12 peers")
    some = peers(1.0)
    del some["arq"]
    found = goal.judge(record(toril=100.0, **some), "noop-50")
    assert (found.verdict, found.measured) == (
        Verdict.UNKNOWN,
        "100.0x (bullmq-py); 11 of 12 peers, without arq",
    )


def test_a_bound_is_judged_by_the_median_or_by_the_worst_run() -> None:
    made = Record.begin("quick")
    for value in (1.0, 2.0, 9.0):
        made.add("death", TORIL, {"seconds": value})
    assert Bound(5.0, "<=", "seconds").judge(made, "death").verdict is Verdict.MET
    assert Bound(5.0, "<=", "seconds", worst=True).judge(made, "death").verdict is Verdict.MISSED
    assert Bound(2.0, ">=", "seconds").judge(made, "death").verdict is Verdict.MET
    assert Bound(2.1, ">=", "seconds").judge(made, "death").verdict is Verdict.MISSED
    assert Bound(2.1, ">=", "seconds").judge(made, "outbox").verdict is Verdict.UNKNOWN


def test_a_goal_is_not_met_if_a_run_of_ours_has_failed() -> None:
    made = record(toril=200.0, bullmq=1.0)
    made.fail("noop-50", TORIL, "100 jobs: 101 runs")
    assert Ratio(2.0, "Node BullMQ").judge(made, "noop-50").verdict is Verdict.MISSED
    assert Bound(1.0, ">=", "rate").judge(made, "noop-50").verdict is Verdict.MISSED


def test_sides_take_turns_and_each_round_begins_with_another() -> None:
    order = turns(BY_KEY["noop-50"], ALL, quick=False)
    rounds = [order[start : start + len(ALL)] for start in range(0, len(order), len(ALL))]
    assert len({each[0] for each in rounds}) == len(rounds) == BY_KEY["noop-50"].runs[1]
    assert all(sorted(each) == sorted(ALL) for each in rounds)


def test_the_report_is_written_between_the_markers(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/benchmarks.md"):
        (tmp_path / name).write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    made = record(toril=200.0, bullmq=50.0)
    made.fail("noop-50", "arq", "no | end")
    made.write(tmp_path / "record.json")
    made = Record.read(tmp_path / "record.json")
    write(made, tmp_path)
    write(made, tmp_path)
    long = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert long.startswith(f"before\n{BEGIN}\n")
    assert long.endswith(f"{END}\nafter\n")
    assert "old" not in long
    assert "| no-op, c=50 | >= 2x Node BullMQ | 4.0x | met |" in long
    assert "| arq | failed: no / end | - | - |" in long
    assert all(f"| {scenario.title} |" in long for scenario in SCENARIOS if scenario.goals)
    short = (tmp_path / "README.md").read_text()
    assert "| no-op, c=50 | 200 | 50.0 | - |" in short
    assert "| no-op, c=50 | >= 2x Node BullMQ | 4.0x | met |" in short
    picture = ET.parse(tmp_path / "docs" / "benchmarks" / "noop-50.svg").getroot()
    assert len(picture.findall("{http://www.w3.org/2000/svg}rect")) == 3  # paper, and two bars
    with pytest.raises(NoMarkers):
        between("no place", "table")


def test_readme_docs_and_pictures_are_those_of_the_record_that_is_kept(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    names = ["README.md", "docs/benchmarks.md"]
    for name in names:
        shutil.copy(ROOT / name, tmp_path / name)
    write(Record.read(ROOT / "docs" / "benchmarks" / RECORD), tmp_path)
    names += [str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "benchmarks").iterdir()]
    for name in names:
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), name


def test_the_commands_of_scripts_are_read_out_of_a_monitor_s_record() -> None:
    record = (
        b'+1700000000.1 [0 127.0.0.1:4242] "EVALSHA" "abc" "0"\r\n'
        b'+1700000000.2 [0 lua] "hset" "bull:q:1" "data" "{\\"a\\":\\"\\\\n\\"}"\r\n'
        b'+1700000000.3 [0 lua] "set" "k" "\\x00\\xff\\r\\n"\r\n'
    )
    assert commands_of_scripts(record) == [
        [b"hset", b"bull:q:1", b"data", b'{"a":"\\n"}'],
        [b"set", b"k", b"\x00\xff\r\n"],
    ]


def test_toril_s_side_keeps_the_contract() -> None:
    with toril.embedded() as url:
        port = url.rpartition(":")[2].partition("/")[0]
        command = [sys.executable, "-m", "benchmarks.peers.toril", port, "contract", "run", "300", "50"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert (values["runs"], values["distinct"], values["left"]) == (300, 300, 0)
    assert values["seconds"] > 0
    assert values["server_us"] > 0
    assert values["client_us"] > 0
