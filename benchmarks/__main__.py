"""Prints one table: `python -m benchmarks [--quick]`. Runs are interleaved; medians with range."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import uuid
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import toril

HERE = Path(__file__).parent
NODE_FOLDER = HERE.parent / "tests" / "node"


class Scenario(NamedTuple):
    """One row: what is done, how many jobs, how many at a time."""

    label: str
    kind: str
    jobs: int
    concurrency: int


SCENARIOS = (
    Scenario("bulk add", "add", 40_000, 1),
    Scenario("no-op, c=1", "run", 10_000, 1),
    Scenario("no-op, c=50", "run", 40_000, 50),
)


def run(side: str, port: int, scenario: Scenario, count: int) -> float:
    """Run one side once; returns jobs a second. Every run is checked: each job ran exactly once."""
    queue = f"bench-{uuid.uuid4().hex[:8]}"
    arguments = [str(port), queue, scenario.kind, str(count), str(scenario.concurrency)]
    command = (
        [sys.executable, "-m", "benchmarks.toril_side"]
        if side == "toril"
        else ["node", str(HERE / "node.mjs")]
    )
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, cwd=HERE.parent, check=False
    )
    if done.returncode:
        sys.exit(f"{side}, {scenario.label}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if scenario.kind == "run" and not result["runs"] == result["distinct"] == count:
        sys.exit(
            f"{side}, {scenario.label}: {count} jobs, {result['runs']} runs of {result['distinct']} jobs"
        )
    return float(count / result["seconds"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three runs of fewer jobs")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side and scenario")
    options = parser.parse_args()
    if not shutil.which("node"):
        sys.exit("benchmarks: Node is needed for the comparison with BullMQ")
    if not (NODE_FOLDER / "node_modules" / "bullmq").is_dir():
        subprocess.run(
            ["npm", "install", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=NODE_FOLDER,
            check=True,
        )
    runs = 3 if options.quick else options.runs
    print(
        f"{platform.machine()}, Python {platform.python_version()}, one Valkey without AOF, {runs} runs each"
    )
    print(f"{'scenario':14}{'toril jobs/s':>26}{'Node BullMQ jobs/s':>26}{'ratio':>8}")
    with toril.embedded() as url:
        port = urlsplit(url).port or 0
        for scenario in SCENARIOS:
            count = scenario.jobs // (4 if options.quick else 1)
            rates: dict[str, list[float]] = {"toril": [], "node": []}
            for number in range(runs):
                for side in ("toril", "node") if number % 2 else ("node", "toril"):
                    rates[side].append(run(side, port, scenario, count))
            ours, theirs = (statistics.median(rates[side]) for side in ("toril", "node"))
            cells = [
                f"{statistics.median(each):,.0f} ({min(each):,.0f}-{max(each):,.0f})"
                for each in rates.values()
            ]
            print(f"{scenario.label:14}{cells[0]:>26}{cells[1]:>26}{ours / theirs:>7.1f}x", flush=True)


if __name__ == "__main__":
    main()
