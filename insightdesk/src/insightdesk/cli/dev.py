"""`insightdesk dev`: the whole helpdesk from one command, on real servers that need no installing."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rich.console import Console

import toril
from insightdesk.cli.listing import make_console
from insightdesk.cli.problems import Problem, check_port
from insightdesk.cli.seed import Login, seed
from insightdesk.cli.supervisor import Child
from insightdesk.cli.watch import watch_jobs, watch_tables
from insightdesk.database import close_database
from insightdesk.embedded import postgres, stop_stale
from insightdesk.migrations import migrate
from insightdesk.settings import get_settings, load_settings

__all__ = ["run_dev"]

_STOP_LIMIT = 10.0  # seconds for the API and the worker to finish what they are doing
_WATCHED_QUEUES = ("email", "email-ticket-notification", "sla-check", "notifications")


def run_dev(*, port: int, demo: bool, fresh: bool, no_color: bool = False) -> int:
    """Runs until Ctrl-C or SIGTERM.

    Returns:
        The process's exit code: 0 after a clean stop.
    """
    settings = load_settings(port=port)
    check_port(settings.host, port)
    data_dir = settings.data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    # A Ctrl-C before the event loop runs must stop the servers too: it is an exception that unwinds
    # the blocks below. SIGTERM is made to do the same.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = make_console(no_color, soft_wrap=True)
    with _only_one(data_dir):
        if fresh:
            stop_stale(data_dir / "postgres")
            for folder in ("postgres", "valkey", "logs"):
                shutil.rmtree(data_dir / folder, ignore_errors=True)
        console.print(f"starting Valkey and PostgreSQL in {data_dir}")
        try:
            with (
                toril.embedded(data_dir=data_dir / "valkey", appendonly="everysec") as valkey_url,
                postgres(data_dir / "postgres") as database_url,
            ):
                os.environ.update(
                    INSIGHTDESK_VALKEY_URL=valkey_url,
                    INSIGHTDESK_DATABASE_URL=database_url,
                    INSIGHTDESK_DATA_DIR=str(data_dir),
                    INSIGHTDESK_PORT=str(port),
                    INSIGHTDESK_SECRET=_secret(data_dir),
                    INSIGHTDESK_DRAIN_SECONDS=str(
                        _STOP_LIMIT / 2
                    ),  # the worker hands back before it is killed
                    TORIL_URL=valkey_url,
                )
                get_settings.cache_clear()
                migrate(database_url)
                asyncio.run(_serve(console, data_dir, valkey_url, demo=demo))
        except KeyboardInterrupt:
            pass
        console.print("everything is stopped; the data stay")
    return 0


async def _serve(console: Console, data_dir: Path, valkey_url: str, *, demo: bool) -> None:
    settings = get_settings()

    def tell(line: str) -> None:
        style = "bold red" if line.startswith("BREACH") else None
        console.print(f"{datetime.now():%H:%M:%S}  {line}", style=style, markup=False)

    logins = await seed(data_dir) if demo else []
    logs = data_dir / "logs"
    children = [
        Child("api", ["api"], os.environ, logs / "api.log", tell),
        Child("worker", ["worker"], os.environ, logs / "worker.log", tell),
    ]
    stop = asyncio.Event()
    _on_signals(stop, children)
    tasks = [asyncio.create_task(child.run()) for child in children]
    try:
        if await _serving(settings.host, settings.port, stop):
            _greet(console, settings.base_url, logins)
            tasks.append(asyncio.create_task(watch_tables(tell)))
            tasks += [asyncio.create_task(watch_jobs(queue, valkey_url, tell)) for queue in _WATCHED_QUEUES]
        await stop.wait()
        console.print("stopping (Ctrl-C again to force)")
    finally:
        await asyncio.gather(*(child.stop(_STOP_LIMIT) for child in children))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await close_database()


def _on_signals(stop: asyncio.Event, children: list[Child]) -> None:
    """The first signal stops in order, the second kills the children at once."""

    def received() -> None:
        if stop.is_set():
            for child in children:
                child.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, received)


async def _serving(host: str, port: int, stop: asyncio.Event) -> bool:
    """Waits until the API takes connections; False when a stop was asked for first."""
    while not stop.is_set():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return True
        await asyncio.sleep(0.1)
    return False


def _greet(console: Console, address: str, logins: list[Login]) -> None:
    console.print(f"\nInsightDesk is at {address}\n", style="bold", markup=False)
    for login in logins:
        console.print(
            f"  {login.role:<9} {login.email}  password {login.password}\n            token {login.token}",
            markup=False,
        )
    console.print("\nCtrl-C stops everything. `insightdesk demo` plays a day of a helpdesk.\n", markup=False)


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """One `insightdesk dev` a folder; the lock goes with the process, even when it is killed."""
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Problem(f"another `insightdesk dev` is using {data_dir}") from error
        yield


def _secret(data_dir: Path) -> str:
    """The key of the sessions, kept so that a restart logs nobody out."""
    path = data_dir / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text()
