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
    Side(TORIL, "toril", "python", "toril", "uvloop; add_many", pace=20_000),
    Side(NODE, "Node BullMQ", "node", "bullmq", "addBulk, 500 a call", pace=10_000),
    Side(
        "bullmq-py",
        "bullmq (Python)",
        "python",
        "bullmq",
        "uvloop, hiredis; addBulk, 500 a call",
        pace=1500,
        module="bullmq_py",
        venv="bullmq_py",
    ),
    Side(
        "arq",
        "arq",
        "python",
        "arq",
        "uvloop, hiredis; poll_delay 10 ms in place of 500; adds 100 at once",
        pace=1500,
    ),
    Side("saq", "saq", "python", "saq", "uvloop, hiredis; adds 100 at once", pace=1500),
    Side("streaq", "streaq", "python", "streaq", "uvloop; enqueue_many, 500 a call", pace=1000),
    Side(
        "taskiq-list",
        "taskiq (list)",
        "python",
        "taskiq",
        "uvloop, hiredis; Redis result backend; adds 100 at once",
        loses="it pops a job off its list before it runs it",
        pace=1500,
        module="taskiq_list",
        venv="taskiq",
    ),
    Side(
        "taskiq-stream",
        "taskiq (stream)",
        "python",
        "taskiq",
        "uvloop, hiredis; Redis result backend; acknowledged when the result is saved; adds 100 at once",
        pace=1500,
        module="taskiq_stream",
        venv="taskiq",
    ),
    Side(
        "dramatiq",
        "dramatiq",
        "python",
        "dramatiq",
        "hiredis; as many threads as c; Results middleware; adds one by one",
        pace=1000,
    ),
    Side(
        "celery",
        "Celery",
        "python",
        "celery",
        "hiredis; acks_late, prefetch x 64; pool solo for no-op, else threads; no gossip, mingle, heartbeat",
        pace=800,
    ),
    Side(
        "rq",
        "rq",
        "python",
        "rq",
        "hiredis; SimpleWorker, which forks nothing, and runs one job at a time; enqueue_many, 500 a call",
        pace=300,
    ),
    Side(
        "huey",
        "huey",
        "python",
        "huey",
        "hiredis; as many threads as c; RedisExpireHuey; adds one by one",
        loses="it pops a job off its list before it runs it",
        pace=1500,
    ),
    Side(
        "procrastinate",
        "procrastinate",
        "python",
        "procrastinate",
        "PostgreSQL, psycopg's pool; keeps its jobs, and no results; batch_defer, 500 a call",
        pace=300,
        server="postgres",
    ),
    Side(
        "pgqueuer",
        "pgqueuer",
        "python",
        "pgqueuer",
        "PostgreSQL, asyncpg, uvloop; batches of c / 2; keeps no results; enqueue of lists, 500 a call",
        pace=3000,
        server="postgres",
    ),
)

BY_KEY = {side.key: side for side in SIDES}
PYTHON_PEERS = tuple(side.key for side in SIDES if side.language == "python" and side.key != TORIL)
ALL = tuple(BY_KEY)
