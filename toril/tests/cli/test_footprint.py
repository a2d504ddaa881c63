"""What a worker's process has in memory besides its application: one megabyte is one for each process."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

import toril

APP = """
import sys
import toril
app = toril.Toril()
@app.job({queue!r}, name="loaded")
async def loaded() -> list[str]:
    return sorted(sys.modules)
"""

ABSENT = {
    "annotated_types", "argparse", "click", "csv", "email", "fastapi", "http.client", "http.server", "httpx",
    "hypothesis", "importlib.metadata", "jinja2", "multiprocessing", "opentelemetry", "psycopg", "pydantic",
    "pydantic_core", "pytest", "redis", "requests", "rich", "sqlalchemy", "starlette", "toril.cli.commands",
    "toril.outbox", "toril.testing", "typer", "unittest", "valkey", "xml",
}  # fmt: skip
"""Modules that a worker has no need of; each is of some hundred kilobytes up to ten megabytes."""


@pytest.mark.parametrize("options", [(), ("--processes", "2")])
async def test_a_worker_s_process_imports_only_what_it_works_with(
    queue: toril.Queue, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue=queue.name))
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "toril.cli", "worker", "shop:app", *options),
        cwd=tmp_path,
        env={"TORIL_URL": queue.url},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        modules = await (await queue.add("loaded", {})).wait(20)
    finally:
        worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await worker.wait() == 0
    assert "toril.worker.cycle" in modules
    assert ABSENT.intersection(modules) == set()
