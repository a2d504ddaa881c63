"""The `toril` command, from outside."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import toril

TORIL = [sys.executable, "-c", "from toril.cli.main import main; main()"]

APP = """
import toril
app = toril.Toril()
nothing = None
@app.job({queue!r}, name="double")
async def double(n: int) -> int:
    return 2 * n
"""


def run(*arguments: str, cwd: Path, url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"TORIL_URL": url, "PATH": "/usr/bin:/bin", "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [*TORIL, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_a_worker_process_runs_declared_jobs(queue: toril.Queue, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue=queue.name))
    worker = await asyncio.create_subprocess_exec(
        *TORIL,
        "worker",
        "shop:app",
        cwd=tmp_path,
        env={"TORIL_URL": queue.url},
        stderr=asyncio.subprocess.DEVNULL,
    )
    job = await queue.add("double", {"n": 21})
    assert await job.wait(15) == 42
    worker.send_signal(signal.SIGINT)
    async with asyncio.timeout(10):
        assert await worker.wait() == 0


async def test_stats_count_jobs(queue: toril.Queue, tmp_path: Path) -> None:
    await queue.add_many([toril.NewJob("x"), toril.NewJob("x", delay=9)])
    done = run("stats", "--json", url=queue.url, cwd=tmp_path)
    counts = json.loads(done.stdout)[queue.name]
    assert (counts["waiting"], counts["delayed"], done.returncode) == (1, 1, 0)
    assert queue.name in run("stats", "--queue", queue.name, url=queue.url, cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["worker", "shop"], "not of the form module:app"),
        (["worker", "nowhere:app"], "no module 'nowhere'"),
        (["worker", "shop:none"], "has no 'none'"),
        (["worker", "shop:toril"], "not a toril.Toril"),
        (["worker", "shop:app", "--queue", "other"], "no job is declared for queue 'other'"),
        (["worker", "shop:app"], "cannot reach valkey://127.0.0.1:1/0"),
        (["stats", "--url", "nonsense"], "not a Valkey URL"),
        (["stats"], "cannot reach valkey://127.0.0.1:1/0"),
        (["jobs", "q"], "cannot reach valkey://127.0.0.1:1/0"),
        (["explain", "q", "1"], "cannot reach valkey://127.0.0.1:1/0"),
    ],
)
def test_mistakes_get_one_clear_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue="q"))
    begun = time.monotonic()
    done = run(*arguments, url="valkey://127.0.0.1:1/0", cwd=tmp_path)
    assert done.returncode != 0
    assert line in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 20


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    done = run("stats", "--nonsense", cwd=tmp_path)
    assert done.returncode != 0
    assert "No such option" in done.stderr
