"""Logs of jobs: what stands in them, in both forms, from everywhere within a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import asyncio, logging, sys, threading
import structlog, toril
from opentelemetry.sdk.trace import TracerProvider
from toril.telemetry.logs import JobLogs, configure_logs
from toril.telemetry.tracing import Tracing, current_trace_id

configure_logs(form=sys.argv[1], level="INFO")
log = structlog.get_logger("shop")
app = toril.Toril(sys.argv[2], prefix=sys.argv[3], telemetry=[JobLogs(), Tracing(TracerProvider())])

@app.job("q", attempts=2)
async def ship(job: toril.JobContext, order_id: int) -> None:
    log.info("shipping", order_id=order_id, seen=current_trace_id())
    log.debug("too fine")
    logging.getLogger("library").warning("an %s entry", "old")
    if job.attempts_made == 0:
        raise ValueError("again")

@app.job("q")
def pack(order_id: int) -> None:
    log.info("packing\\x1b[31m", thread=threading.current_thread().name.startswith("toril-job"))

async def main():
    async with app.worker_running():
        await (await ship.enqueue(order_id=7)).wait(timeout=10)
        await (await pack.enqueue(order_id=8)).wait(timeout=10)
    log.info("done")
    await app.close()

asyncio.run(main())
"""


def told(form: str, url: str, prefix: str, folder: Path) -> list[str]:
    script = folder / "shop.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, form, url, prefix], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_entries_say_in_which_run_they_were_made(valkey_url: str, queue_name: str, tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [
        json.loads(line) for line in told("json", valkey_url, queue_name, tmp_path)
    ]
    first, second = (entry for entry in entries if entry["event"] == "shipping")
    assert (first["queue"], first["job"], first["attempt"], first["order_id"]) == ("q", "ship", 1, 7)
    assert (second["job_id"], second["attempt"]) == (first["job_id"], 2)
    assert first["trace_id"] == first["seen"]
    assert {"level", "timestamp", "logger", "span_id"} <= first.keys()
    (old, _) = (entry for entry in entries if entry["event"] == "an old entry")
    assert (old["job_id"], old["level"], old["logger"]) == (first["job_id"], "warning", "library")
    (packing,) = (entry for entry in entries if entry["event"].startswith("packing"))
    assert (packing["job"], packing["thread"]) == ("pack", True)
    (done,) = (entry for entry in entries if entry["event"] == "done")
    assert not {"queue", "job_id", "trace_id"} & done.keys()
    assert "too fine" not in {entry["event"] for entry in entries}


def test_people_get_lines_that_no_terminal_obeys(valkey_url: str, queue_name: str, tmp_path: Path) -> None:
    lines = told("pretty", valkey_url, queue_name, tmp_path)
    (shipping, _) = (line for line in lines if "shipping" in line)
    assert "order_id=7" in shipping
    assert "job=ship" in shipping
    assert "\x1b" not in "".join(lines)
    assert any("packing\\x1b[31m" in line for line in lines)


@pytest.mark.parametrize("form", ["auto"])
def test_what_is_no_terminal_gets_json(valkey_url: str, queue_name: str, tmp_path: Path, form: str) -> None:
    assert all(json.loads(line) for line in told(form, valkey_url, queue_name, tmp_path))
