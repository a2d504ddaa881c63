"""The operator's commands on failed jobs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest
from desks import Desk

from insightdesk.database import new_id, transaction
from insightdesk.dead_letters import service
from insightdesk.dead_letters.capture import Failure
from insightdesk.kit import clock


async def command(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "insightdesk", *arguments],
        env={**os.environ, "INSIGHTDESK_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.slow
async def test_the_operator_lists_retries_and_replays(desk: Desk, database_url: str, valkey_url: str) -> None:
    queue = f"q-{new_id()}"
    failures = [
        Failure(
            queue, f"j{n}", "import", clock.now(), f"\x1b[31mrow {n} is wrong",
            data={"organizationId": desk.organization_id}, readable=True,
        )
        for n in range(3)
    ]  # fmt: skip
    async with transaction() as session:
        made = await service.record(session, failures, clock.now())
    stats = await command(database_url, "jobs", "stats")
    assert stats.returncode == 0, stats.stderr
    assert "slaCheck" in stats.stdout
    listed = await command(database_url, "jobs", "failed", "--queue", queue)
    assert listed.stdout.count(f"{queue}/import") == 3
    assert "\x1b" not in listed.stdout
    as_json = json.loads((await command(database_url, "jobs", "failed", "--queue", queue, "--json")).stdout)
    assert sorted(letter["jobId"] for letter in as_json) == ["j0", "j1", "j2"]
    assert {letter["state"] for letter in as_json} == {"open"}
    assert "slaCheck" in json.loads((await command(database_url, "jobs", "stats", "--json")).stdout)
    retried = await command(database_url, "jobs", "retry", made[0].id)
    assert retried.stdout == f"re-enqueued in {queue}\n"
    again = await command(database_url, "jobs", "retry", made[0].id)
    assert again.returncode == 1
    assert "already retried" in again.stderr
    groups = await command(database_url, "dead-letters", "list")
    (row,) = [line.split() for line in groups.stdout.splitlines() if line.startswith(made[0].fingerprint)]
    assert row[1:3] == ["2", "3"]
    kinds = json.loads((await command(database_url, "dead-letters", "list", "--json")).stdout)
    (kind,) = [each for each in kinds if each["fingerprint"] == made[0].fingerprint]
    assert (kind["open"], kind["total"], kind["queue"]) == (2, 3, queue)
    dry = await command(database_url, "dead-letters", "replay", made[0].fingerprint)
    assert "would replay 2 jobs within 1 s" in dry.stdout
    done = await command(database_url, "dead-letters", "replay", made[0].fingerprint, "--yes")
    assert "replayed 2 jobs" in done.stdout
