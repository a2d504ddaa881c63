"""The pytest plug-in: its fixtures work in a project of their own, and cost nothing unused."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "pyproject.toml"

APPLICATION = """
import toril

app = toril.Toril()


@app.job("email")
async def welcome(user_id: str) -> str:
    return f"Welcome, {user_id}!"
"""

TESTS = """
import toril
import toril.testing
from shop import app, welcome

import pytest

pytestmark = pytest.mark.asyncio
seen = []


async def test_the_server_and_the_prefix(toril_url, toril_prefix, toril_server):
    assert toril_url == toril_server.url
    async with toril.Queue("mine", toril_url, prefix=toril_prefix) as queue:
        await queue.add("x")


@pytest.mark.parametrize("time", [1, 2])
async def test_the_queue_is_new_each_time(toril_queue, time):
    assert (await toril_queue.get_job_counts())["waiting"] == 0
    await toril_queue.add("x")
    seen.append(toril_queue.prefix)
    assert len(set(seen)) == time


async def test_the_clock(toril_clock, toril_queue):
    before = await toril_clock.now()
    assert (await toril_clock.advance(3600) - before).total_seconds() > 3599
    job = await toril_queue.add("x")
    assert (job.timestamp - before).total_seconds() > 3599


async def test_the_application(toril_app, toril_url, toril_prefix):
    assert toril_app(app) is app
    assert (app.url, app.prefix) == (toril_url, toril_prefix)
    async with app.worker_running():
        assert await (await welcome.enqueue(user_id="u1")).wait(5) == "Welcome, u1!"


async def test_the_application_is_as_it_was(toril_url):
    assert (app.prefix, app.url != toril_url) == ("bull", True)
    async with toril.testing.manual(app, url=toril_url) as jobs:
        await welcome.enqueue(user_id="u1")
        assert (await jobs.drain()).completed == 1
"""


def run_tests(folder: Path, tests: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "shop.py").write_text(APPLICATION)
    (folder / "test_shop.py").write_text(tests)
    (folder / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\npythonpath = .\nasyncio_default_fixture_loop_scope = function\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:toril", "-p", "toril_pytest", "-q", *options],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_fixtures_serve_a_project_s_tests(tmp_path: Path) -> None:
    done = run_tests(tmp_path, TESTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_another_server_can_be_named(
    tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORIL_TEST_URL", valkey_url)
    tests = f"def test_it(toril_url):\n    assert toril_url == {valkey_url!r}\n"
    done = run_tests(tmp_path, tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_unused_it_imports_nothing_of_toril(tmp_path: Path) -> None:
    tests = (
        "import sys\n\ndef test_it():\n    assert 'toril_pytest' in sys.modules\n"
        "    assert not {name.split('.')[0] for name in sys.modules} & {'toril'}\n"
    )
    done = run_tests(tmp_path, tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_pytest_asyncio_it_loads(tmp_path: Path) -> None:
    source = (
        "import sys; sys.modules['pytest_asyncio'] = None; import toril_pytest; print(toril_pytest.toril_app)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_pytest_finds_it_by_its_entry_point() -> None:
    project = tomllib.loads(PROJECT.read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"toril": "toril_pytest"}
    assert "src/toril_pytest" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
