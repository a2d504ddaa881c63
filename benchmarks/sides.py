"""The sides: toril and its peers, with what a reader must know of each to compare them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TORIL = "toril"
NODE = "bullmq"


@dataclass(frozen=True)
class Side:
    """One side.

    Attributes:
        key: Its name in files and figures, and of its module in `benchmarks/peers/`.
        title: Its name in tables.
        language: Which interpreter runs it.
        package: What its version is looked up under.
        setting: The setting that it is measured in, as its documentation advises.
        loses: How a job can be lost when a process dies in that setting; empty if none is.
        pace: Rough jobs a second, by which the number of jobs of a run is chosen.
        server: What it keeps its jobs in.
        module: The module in `benchmarks/peers/`, if it is not the key.
        venv: The requirements file in `benchmarks/peers/`, if it is not the key.
    """

    key: str
    title: str
    language: Literal["python", "node"]
    package: str
    setting: str
    loses: str = ""
    pace: int = 1000
    server: Literal["valkey", "postgres"] = "valkey"
    module: str = ""
    venv: str = ""


SIDES = (
    Side(
        TORIL,
        "toril",
        "python",
        "toril",
        "uvloop; add_many",
        pace=20_000,
    ),
    Side(
        NODE,
        "Node BullMQ",
        "node",
        "bullmq",
        "addBulk, 500 a call",
        pace=10_000,
    ),
)

BY_KEY = {side.key: side for side in SIDES}
PYTHON_PEERS = tuple(side.key for side in SIDES if side.language == "python" and side.key != TORIL)
ALL = tuple(BY_KEY)
