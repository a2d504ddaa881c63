"""Where each side runs: a venv a peer, made once, and the node_modules of the tests with Node."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from .sides import TORIL, Side

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
CACHE = Path(__file__).parent / ".cache"
NODE_FOLDER = ROOT / "tests" / "node"


class PlaceFailed(Exception):
    """A side's place could not be made; the message is the installer's."""


def prepare(side: Side) -> list[str]:
    """Make a side's place if it is not there; returns the command that runs its module.

    Raises:
        PlaceFailed: something could not be installed.
    """
    if side.language == "node":
        if not shutil.which("node") or not shutil.which("npm"):
            raise PlaceFailed("Node and npm are needed")
        if not (NODE_FOLDER / "node_modules" / "bullmq").is_dir():
            _run(
                ["npm", "install", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"],
                NODE_FOLDER,
            )
        return ["node", str(PEERS / f"{side.module or side.key}.mjs")]
    return [str(interpreter(side)), "-m", f"benchmarks.peers.{side.module or side.key}"]


def interpreter(side: Side) -> Path:
    """The Python of a side, in a venv that has what its requirements file pins.

    Raises:
        PlaceFailed: something could not be installed.
    """
    if side.key == TORIL:
        return Path(sys.executable)
    wanted = PEERS / f"{side.venv or side.key}.txt"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = CACHE / f"{side.venv or side.key}-{digest}"
    python = venv / "bin" / "python"
    complete = venv / ".complete"
    if not complete.exists():
        shutil.rmtree(venv, ignore_errors=True)
        CACHE.mkdir(exist_ok=True)
        _run([sys.executable, "-m", "venv", str(venv)], ROOT)
        _run(
            [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                str(wanted),
            ],
            ROOT,
        )
        complete.touch()
    return python


def version(side: Side) -> str:
    """Which version of a side is in its place."""
    if side.language == "node":
        package = NODE_FOLDER / "node_modules" / side.package / "package.json"
        return str(json.loads(package.read_text())["version"])
    code = f"import importlib.metadata; print(importlib.metadata.version({side.package!r}))"
    return _run([str(interpreter(side)), "-c", code], ROOT).strip()


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlaceFailed(f"{' '.join(command)}: {done.stderr.strip()[-800:]}")
    return done.stdout
