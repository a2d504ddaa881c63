"""What the jobs of the mixed run are and how each must end, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

State = Literal["completed", "failed", "gone"]
POLICIES = ("failParentOnFailure", "ignoreDependencyOnFailure", "removeDependencyOnFailure")


class Expected(NamedTuple):
    """How a job ends; `ends` are its `completed` and `failed` events."""

    state: State
    runs: int
    attempts_made: int
    attempts_started: int
    ends: int


@dataclass
class Plan:
    """One job: what it is added with, and what follows from it.

    Attributes:
        fails: How many attempts fail before one succeeds.
        keep: Whether it is kept once it has completed.
        children: The jobs that it waits for.
        in_flow: Whether it has a parent or children.
        shared: Whether a producer of each side adds it, under the same id.
    """

    number: int
    queue: str
    attempts: int
    fails: int
    ms: int
    opts: dict[str, Any]
    keep: bool = True
    policy: str | None = None
    children: list[Plan] = field(default_factory=list)
    in_flow: bool = False
    shared: bool = False

    @property
    def data(self) -> dict[str, Any]:
        return {"plan": self.number, "fails": self.fails, "ms": self.ms, "flow": self.in_flow}

    @property
    def wire(self) -> dict[str, Any]:
        opts = {**self.opts, "attempts": self.attempts}
        if not self.keep:
            opts["removeOnComplete"] = True
        if self.policy:
            opts[self.policy] = True
        return {"name": f"job-{self.number % 7}", "data": self.data, "opts": opts}

    @property
    def tree(self) -> dict[str, Any]:
        children = [child.tree for child in self.children]
        return {**self.wire, "queueName": self.queue} | ({"children": children} if children else {})

    @property
    def failed_by_a_child(self) -> bool:
        return any(
            child.policy == POLICIES[0] and child.expected().state == "failed" for child in self.children
        )

    def expected(self, retries: Sequence[bool] = ()) -> Expected:
        """How it ends after so many retries by hand; each says whether it gave all attempts again."""
        if self.failed_by_a_child:
            return Expected("failed", 0, 0, 0, 1)
        made = started = runs = 0
        for reset in (False, *retries):
            if reset:
                made = started = 0
            while True:
                runs, started, made = runs + 1, started + 1, made + 1
                if made > self.fails:
                    return Expected(
                        "completed" if self.keep else "gone", runs, made, started, len(retries) + 1
                    )
                if made >= self.attempts:
                    break
        return Expected("failed", runs, made, started, len(retries) + 1)


class Drawing:
    """Draws the jobs of all producers."""

    def __init__(self, seed: int, top: str, low: str) -> None:
        self._random = random.Random(seed)
        self._queues = (top, low)
        self.plans: list[Plan] = []

    def _job(self, queue: str) -> Plan:
        draw = self._random
        opts: dict[str, Any] = {}
        if draw.random() < 0.1:
            opts["delay"] = draw.randint(1, 800)
        if draw.random() < 0.1:
            opts["priority"] = draw.randint(1, 5)
        elif draw.random() < 0.05:
            opts["lifo"] = True
        if draw.random() < 0.5:
            kind = draw.choice(["fixed", "exponential"])
            opts["backoff"] = {"type": kind, "delay": draw.choice([1, 10, 40])}
        plan = Plan(
            number=len(self.plans),
            queue=queue,
            attempts=draw.randint(1, 4),
            fails=0 if draw.random() < 0.75 else draw.randint(1, 5),
            ms=0 if draw.random() < 0.9 else draw.randint(1, 20),
            opts=opts,
            keep=draw.random() > 0.03,
        )
        self.plans.append(plan)
        return plan

    def _flow(self, depth: int) -> Plan:
        plan = self._job(self._queues[0] if depth else self._queues[1])
        plan.in_flow = True
        if depth:
            for _ in range(self._random.randint(1, 4)):
                child = self._flow(depth - self._random.randint(1, depth))
                # A child that may fail says what becomes of its parent; else the parent waits for ever.
                child.policy = self._random.choice(POLICIES)
                plan.children.append(child)
        return plan

    def batches(self, count: int, producers: int) -> list[list[dict[str, Any]]]:
        """The batches of each producer; the first half of the producers are Node's."""
        draw = self._random
        made: list[list[dict[str, Any]]] = [[] for _ in range(producers)]
        while len(self.plans) < count:
            out = draw.choice(made)
            queue = draw.choice(self._queues)
            if draw.random() < 0.3:
                out.append({"kind": "flow", "queue": queue, "jobs": [self._flow(draw.randint(1, 3)).tree]})
                continue
            jobs = [self._job(queue) for _ in range(draw.randint(1, 60))]
            kind = draw.choice(["add", "bulk"])
            out.append({"kind": kind, "queue": queue, "jobs": [job.wire for job in jobs]})
            if draw.random() < 0.1:
                twin = self._job(queue)
                twin.shared, twin.keep = True, True
                twin.opts["jobId"] = f"both-{twin.number}"
                for side in (made[: producers // 2], made[producers // 2 :]):
                    draw.choice(side).append({"kind": kind, "queue": queue, "jobs": [twin.wire]})
        return made
