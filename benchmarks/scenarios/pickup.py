"""From a job's add to its handler's start: on an idle queue, and at half of the side's own rate."""

from __future__ import annotations

from ..goals import Bound
from ..record import RATE, Measures
from ..sides import ALL, NODE, TORIL, Side
from ..stage import RunFailed, Stage, exact, new_queue, result, told
from .base import Column, Scenario

IDLE_RATE = 50.0
CONCURRENCY = 50
LATENCIES = ("p50_ms", "p99_ms", "max_ms")
COLUMNS = tuple(Column(name, name.replace("_", " "), less=True) for name in LATENCIES)


def open_loop(stage: Stage, side: Side, address: str, rate: float, seconds: float) -> Measures:
    """One process adds at a fixed rate, come what may; another works."""
    count = max(100, int(rate * seconds))
    queue = new_queue()
    with (
        stage.process(side, address, queue, "take", count, CONCURRENCY) as worker,
        stage.process(side, address, queue, f"feed@{rate}", count) as producer,
    ):
        assert producer.stdin is not None
        if not told(worker):
            worker.kill()
            raise RunFailed(f"the worker ran no job: {worker.communicate()[1].strip()[-300:]}")
        producer.stdin.write("go\n")
        producer.stdin.flush()
        values = result(worker)
        result(producer)
    exact(values, count)
    return {name: values[name] for name in LATENCIES}


def idle(stage: Stage, side: Side) -> Measures:
    """A job every 20 ms, which finds nobody busy."""
    with stage.server(side) as address:
        return open_loop(stage, side, address, IDLE_RATE, 3.0 if stage.quick else 10.0)


def loaded(stage: Stage, side: Side) -> Measures:
    """Jobs at half of the rate that the side has just reached with the same concurrency."""
    count = stage.jobs(side, 1.0)
    with stage.server(side) as address:
        full = exact(stage.run(side, address, "run", count, CONCURRENCY), count)[RATE]
    with stage.server(side) as address:
        latencies = open_loop(stage, side, address, full / 2, 2.0 if stage.quick else 10.0)
    return {**latencies, "at": full / 2}


SCENARIOS = (
    Scenario(
        "pickup-idle",
        "idle pickup",
        idle,
        COLUMNS,
        (Bound(0.5, "<=", "p50_ms", " ms"), Bound(2.0, "<=", "p99_ms", " ms")),
        sides=ALL,
        quick_sides=(TORIL, NODE),
        runs=(2, 3),
        about="50 jobs a second from another process, each counted from the moment when it should have"
        " been added.",
    ),
    Scenario(
        "pickup-load",
        "pickup at 50 % load, open loop",
        loaded,
        (*COLUMNS, Column("at", "jobs/s")),
        (Bound(10.0, "<=", "p99_ms", " ms"),),
        sides=(TORIL, NODE),
        about="Another process adds at half of the rate that the side has reached just before, c=50; a late"
        " add counts as a late job.",
    ),
)
