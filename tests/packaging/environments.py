"""Clean environments, which have nothing of this repository's own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment without pip in it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self, *requirements: str | Path) -> None:
        """Install from the index, in the versions of the lock; wheels only, as the Dockerfile does."""
        lock = ROOT / "requirements.lock"
        self.pip("install", "--quiet", "--only-binary=:all:", "--constraint", lock, *requirements)

    def pip(self, *arguments: str | Path) -> str:
        return run(sys.executable, "-m", "pip", "--python", self.python, *arguments)

    def run(self, command: str, *arguments: str | Path, cwd: Path | None = None) -> str:
        return run(self.folder / "bin" / command, *arguments, cwd=cwd)


def run(*command: str | Path, cwd: Path | None = None, **variables: str) -> str:
    """What the command prints; it sees nothing of the environment that the tests run in."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "TORIL", "VIRTUAL_"))
    }
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **variables}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
