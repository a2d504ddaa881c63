"""Runs of the machine, short and long."""

from __future__ import annotations

import time

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from .machine import Machine, statistics
from .real import Real, moved_scripts

STEPS = 60
"""Steps an example at the most."""


def own_database(url: str) -> str:
    """The same server's database 7: the dump looks at all keys of one."""
    return f"{url.rpartition('/')[0]}/7"


def run(url: str, examples: int, *, first_seed: int | None = None) -> None:
    """Run that many examples. With a seed they are the same ones each time.

    Raises:
        AssertionError: model and server disagree; the notes have the steps to it.
    """
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        derandomize=first_seed is None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.normal,
    )
    with moved_scripts():
        real = Real(own_database(url))
        try:
            machine = type("QueueMachine", (Machine,), {"real": real})
            if first_seed is not None:
                machine = seed(first_seed)(machine)
            run_state_machine_as_test(machine, settings=chosen)
        finally:
            real.close()


def run_for(url: str, minutes: float) -> None:
    """Run new examples for that long, and print how many."""
    begun = time.monotonic()
    first = time.time_ns() % 10**9
    runs = 0
    while (took := time.monotonic() - begun) < minutes * 60:
        told = f"{statistics['examples']} examples, {statistics['steps']} steps"
        print(f"{took:6.0f} s  {told}; seed {first + runs}", flush=True)
        run(url, 200, first_seed=first + runs)
        runs += 1
    print(f"no difference in {statistics['examples']} examples, {statistics['steps']} steps, {took:.0f} s")
