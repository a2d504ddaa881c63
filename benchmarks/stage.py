"""Runs a side's process on a fresh server, and checks that it did what it was told exactly."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

import toril
from insightdesk.embedded import EmbeddedFailed as PostgresFailed
from insightdesk.embedded import postgres

from .places import ROOT, prepare
from .record import CLIENT, RATE, SERVER, Measures
from .sides import Side

Appendonly = Literal["always", "everysec"] | None

TIMEOUT = 180.0
"""Seconds that one run of a side may take."""

START_TIMEOUT = 15.0
"""Seconds that a worker may take to run its first job."""


class RunFailed(Exception):
    """A side's process failed, or its jobs did not run exactly once."""


class Stage:
    """What the scenarios need: servers, and the sides' processes.

    Args:
        quick: Whether a coarse answer in little time is wanted.
        tell: Gets a line of what is being done.
    """

    def __init__(self, quick: bool, tell: Callable[[str], None] = lambda line: None) -> None:
        self.quick = quick
        self.tell = tell
        self._commands: dict[str, list[str]] = {}
        self._kept = contextlib.ExitStack()
        self._postgres: str | None = None

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def command(self, side: Side) -> list[str]:
        """The command of a side's module; its place is made at the first call."""
        if side.key not in self._commands:
            self._commands[side.key] = prepare(side)
        return self._commands[side.key]

    @contextlib.contextmanager
    def valkey(self, appendonly: Appendonly = None) -> Iterator[toril.EmbeddedServer]:
        """A fresh Valkey while the block runs.

        Raises:
            RunFailed: it does not start.
        """
        server = toril.EmbeddedServer(appendonly=appendonly)
        try:
            server.start()
        except toril.EmbeddedFailed as error:
            raise RunFailed(str(error)) from error
        with server:
            yield server

    @contextlib.contextmanager
    def server(self, side: Side, appendonly: Appendonly = None) -> Iterator[str]:
        """A fresh server of the side's kind while the block runs; its address."""
        if side.server == "postgres":
            with self.database() as dsn:
                self.run(side, dsn, "setup", 0)
                yield dsn
        else:
            with self.valkey(appendonly) as server:
                yield str(server.port)

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """A fresh PostgreSQL database while the block runs; its DSN. The server is started once.

        Raises:
            RunFailed: it does not start.
        """
        if self._postgres is None:
            folder = Path(self._kept.enter_context(tempfile.TemporaryDirectory(prefix="bench-pg-")))
            try:
                url = self._kept.enter_context(postgres(folder / "data"))
            except PostgresFailed as error:
                raise RunFailed(str(error)) from error
            self._postgres = url.replace("postgresql+psycopg://", "postgresql://")
        name = new_queue().replace("-", "_")
        parts = urlsplit(self._postgres)
        with psycopg.connect(self._postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield f"postgresql://{parts.netloc}/{name}?{parts.query}"
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def run(self, side: Side, address: str, kind: str, count: int, concurrency: int = 1) -> Measures:
        """Run a side's process to its end.

        Raises:
            RunFailed: it failed.
        """
        with self.process(side, address, new_queue(), kind, count, concurrency) as process:
            return result(process)

    @contextlib.contextmanager
    def process(
        self, side: Side, address: str, queue: str, kind: str, count: int, concurrency: int = 1
    ) -> Iterator[subprocess.Popen[str]]:
        """A side's process, with pipes; it is killed when the block ends."""
        arguments = [address, queue, kind, str(count), str(concurrency)]
        with spawn([*self.command(side), *arguments]) as process:
            yield process

    def jobs(self, side: Side, seconds: float, least: int = 200) -> int:
        """How many jobs keep a side busy for so long, roughly."""
        return max(least, int(side.pace * seconds))


@contextlib.contextmanager
def spawn(
    command: list[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process with pipes, killed when the block ends; `environment` is added to ours."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        with contextlib.suppress(OSError, ValueError):
            process.communicate(timeout=5)


def told(process: subprocess.Popen[str], timeout: float = START_TIMEOUT) -> bool:
    """Whether the process says within `timeout` seconds that it is ready; asked once."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return bool(selector.select(timeout)) and process.stdout.readline().strip() == "ready"


def result(process: subprocess.Popen[str], timeout: float = TIMEOUT) -> Measures:
    """The process's last line, once it has ended.

    Raises:
        RunFailed: it took too long, or failed.
    """
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"no end within {timeout:g} s") from None
    if process.returncode or not output.strip():
        end = errors.strip().splitlines()[-1:] or ["without a word"]
        raise RunFailed(f"ended with {process.returncode}: {end[0]}")
    values: Measures = json.loads(output.strip().splitlines()[-1])
    return values


def new_queue() -> str:
    """A queue's name that is used nowhere else."""
    return f"bench-{uuid.uuid4().hex[:8]}"


def exact(values: Measures, count: int) -> Measures:
    """Check that each of `count` jobs ran once; returns the measures of the run.

    Raises:
        RunFailed: some ran twice or not at all, or the queue is not empty.
    """
    if not values["runs"] == values["distinct"] == count or values["left"]:
        told = ", ".join(f"{values[name]:.0f} {name}" for name in ("runs", "distinct", "left"))
        raise RunFailed(f"{count} jobs: {told}")
    return rates(values, count)


def rates(values: Measures, count: int) -> Measures:
    """Jobs a second, and CPU microseconds a job of server and client."""
    measures = {RATE: count / values["seconds"], CLIENT: values[CLIENT]}
    if SERVER in values:
        measures[SERVER] = values[SERVER]
    return measures
