"""Logs tell what happened, and never a job's data, an address or a secret."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

import toril
from insightdesk.database import new_id
from insightdesk.logs import log_run

PROGRAM = """
import logging, structlog
from insightdesk.logs import configure_logging
from insightdesk.settings import load_settings
configure_logging(load_settings(log_format="json", log_level="INFO"))
log = structlog.get_logger("insightdesk.test")
log.info("mail for ann@example.com", to="ann@example.com", data={"a": "hunter2"}, job="j1", count=3)
log.debug("too much")
try:
    raise ValueError("no mailbox ann@example.com; token=hunter2")
except ValueError:
    log.exception("it broke")
logging.getLogger("toril").warning("lost %s of %s", "job j2", "ann@example.com")
logging.getLogger("elsewhere").info("chatter")
"""


def test_each_entry_is_a_line_of_json_without_what_is_private() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "ann@example.com" not in done.stderr
    assert "hunter2" not in done.stderr
    first, broken, library = (json.loads(line) for line in done.stderr.splitlines())
    assert (first["event"], first["to"], first["job"], first["count"]) == (
        "mail for [address]", "[redacted]", "j1", 3,
    )  # fmt: skip
    assert (first["level"], first["logger"]) == ("info", "insightdesk.test")
    assert "ValueError: no mailbox [address]" in broken["exception"]
    assert library["event"] == "lost job j2 of [address]"


@pytest.fixture
def entries() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as found:
        yield found


async def test_a_run_is_logged_by_type_id_and_attempt(
    valkey_url: str, entries: list[structlog.typing.EventDict]
) -> None:
    async def handler(job: toril.Job) -> None:
        if job.name == "bad":
            raise ValueError("for ann@example.com")

    async with toril.Queue(f"q-{new_id()}", valkey_url) as queue:
        worker = toril.Worker(queue.name, handler, url=valkey_url, middleware=[log_run])
        running = asyncio.create_task(worker.run(handle_signals=False))
        for name in ("good", "bad"):
            job = await queue.add(name, {"email": "ann@example.com", "secret": "hunter2"})
            try:
                await job.wait(timeout=10)
            except toril.JobFailed:
                assert name == "bad"
        await worker.close()
        await running
    told = [(each["event"], each["job"], each["attempt"]) for each in entries if "job_id" in each]
    assert ("job completed", "good", 1) in told
    assert ("job failed", "bad", 1) in told
    assert "hunter2" not in str(entries)


RUN = """
import asyncio, sys, structlog, toril
from insightdesk.jobs import app
from insightdesk.logs import configure_logging
from insightdesk.settings import load_settings

configure_logging(load_settings(log_format="json"))
log = structlog.get_logger("insightdesk.test")

@app.job(sys.argv[1], name="greet")
async def greet(email: str) -> None:
    log.info("greeting", recipient=email)

async def main():
    async with app.worker_running([sys.argv[1]]):
        await (await greet.enqueue(email="ann@example.com")).wait(timeout=10)
    await app.close()

asyncio.run(main())
"""


def test_what_a_handler_logs_says_of_which_job_it_is(valkey_url: str) -> None:
    queue = f"q-{new_id()}"
    done = subprocess.run(
        [sys.executable, "-c", RUN, queue],
        env={**os.environ, "INSIGHTDESK_VALKEY_URL": valkey_url},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (entry,) = (each for each in map(json.loads, done.stderr.splitlines()) if each["event"] == "greeting")
    assert (entry["queue"], entry["job"], entry["job_id"], entry["attempt"]) == (queue, "greet", "1", 1)
    assert "ann@example.com" not in done.stderr
