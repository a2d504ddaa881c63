"""`toril doctor` and a worker's start tell what is wrong with a server."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import toril
from toril.storage.doctor import Answers, findings

TORIL = [sys.executable, "-m", "toril.cli"]
FINE = {
    "valkey_version": "9.0.0",
    "role": "master",
    "maxmemory_policy": "noeviction",
    "maxmemory": "0",
    "used_memory": "1000000",
    "aof_enabled": "1",
}
CONFIG = {
    "appendfsync": "everysec",
    "hash-max-listpack-entries": "512",
    "hash-max-listpack-value": "1024",
}


def run(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*TORIL, "doctor", "--url", url, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def levels(info: dict[str, str], config: dict[str, str] | None, skew: float = 0.0) -> dict[str, str]:
    found = findings("here", Answers({**FINE, **info}, config, skew))
    return {finding.check: finding.level for finding in found if finding.level != "ok"}


@pytest.mark.parametrize(
    ("info", "config", "skew", "told"),
    [
        ({}, {}, 0.0, {}),
        ({"maxmemory_policy": "allkeys-lru"}, {}, 0.0, {"eviction": "error"}),
        ({"maxmemory_policy": "volatile-ttl"}, {}, 0.0, {"eviction": "error"}),
        ({"role": "slave"}, {}, 0.0, {"role": "error"}),
        ({"maxmemory": "1100000"}, {}, 0.0, {"memory": "warning"}),
        ({"aof_enabled": "0"}, {"save": ""}, 0.0, {"persistence": "warning"}),
        ({"aof_enabled": "0"}, {"save": "3600 1"}, 0.0, {"persistence": "warning"}),
        ({}, {"appendfsync": "no"}, 0.0, {"persistence": "warning"}),
        ({}, {}, 86400.0, {"clock": "warning"}),
        ({}, {}, -60.0, {"clock": "warning"}),
        ({}, {"hash-max-listpack-value": "8"}, 0.0, {"encoding": "warning"}),
    ],
)
def test_answers_are_judged(
    info: dict[str, str], config: dict[str, str], skew: float, told: dict[str, str]
) -> None:
    assert levels(info, {**CONFIG, **config}, skew) == told


def test_old_servers_and_closed_configurations_are_told() -> None:
    old = {key: value for key, value in FINE.items() if key != "valkey_version"}
    found = findings("here", Answers({**old, "redis_version": "6.0.16"}, None, 0.0, "NOPERM no eval"))
    assert {each.check for each in found if each.level == "error"} == {"version", "scripts"}
    assert findings("here", Answers({**old, "redis_version": "7.2.4"}, None, 0.0))[0].level == "ok"


def test_the_command_tells_of_a_fit_server_and_of_one_that_evicts(tmp_path: Path) -> None:
    with toril.EmbeddedServer(tmp_path / "fit", appendonly="everysec") as fit:
        done = run(fit.url, "--json")
        assert done.returncode == 0, done.stderr
        found = {each["check"]: each for each in json.loads(done.stdout)}
        assert {each["level"] for each in found.values()} == {"ok"}
        assert len(found) == 8
    with toril.EmbeddedServer(arguments=["--maxmemory-policy", "allkeys-lru"]) as unfit:
        done = run(unfit.url)
        assert done.returncode == 1
        assert "set it to noeviction" in done.stdout
        assert "a restart loses all jobs" in done.stdout
    done = run("valkey://127.0.0.1:1")
    assert done.returncode == 1
    assert "cannot reach" in done.stderr


async def test_a_user_who_may_not_read_the_configuration_is_told_the_rest(
    queue: toril.Queue, valkey_url: str
) -> None:
    name = f"u{queue.name[-8:]}"
    rights = [
        "~*",
        "-@all",
        "+@read",
        "+@write",
        "+@scripting",
        "+@connection",
        "+@blocking",
        "+time",
        "+info",
    ]
    await queue.store.connection.call("ACL", "SETUSER", name, "on", ">pw", *rights)
    done = await asyncio.to_thread(run, valkey_url.replace("//", f"//{name}:pw@"), "--json")
    assert done.returncode == 0, done.stderr
    assert {each["check"] for each in json.loads(done.stdout) if each["level"] == "warning"} == {
        "persistence"
    }
    await queue.store.connection.call("ACL", "DELUSER", name)


async def test_a_worker_warns_when_it_starts_on_a_server_that_evicts(
    queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(job: toril.Job) -> None: ...

    for policy, warnings in (("noeviction", 0), ("allkeys-lru", 1)):
        caplog.clear()
        with toril.EmbeddedServer(arguments=["--maxmemory-policy", policy]) as server:
            worker = toril.Worker(queue_name, handler, url=server.url)
            task = asyncio.create_task(worker.run(handle_signals=False))
            await worker.ready.wait()
            worker.stop()
            await task
        told = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert len([each for each in told if "set it to noeviction" in each.getMessage()]) == warnings
