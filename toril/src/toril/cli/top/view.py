"""What `toril top` shows and which key does what: values and a pure function, without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from ...inspection.lines import counted
from ...job import JobState

Doing = Literal["pause", "resume", "retry", "retry-all", "promote", "cancel", "remove"]


class Screen(StrEnum):
    """What fills the terminal."""

    QUEUES = "queues"
    JOBS = "jobs"
    JOB = "job"
    HELP = "help"


STATES = (
    JobState.ACTIVE,
    JobState.WAITING,
    JobState.PRIORITIZED,
    JobState.DELAYED,
    JobState.FAILED,
    JobState.COMPLETED,
    JobState.WAITING_CHILDREN,
)
"""The states in the order in which Tab goes through them."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do: to a queue, or to one of its jobs."""

    doing: Doing
    queue: str
    job_id: str = ""
    count: int = 0

    @property
    def question(self) -> str:
        """What is asked before it is done; empty if it is done at once."""
        match self.doing:
            case "retry-all":
                return f"retry {counted(self.count, 'failed job', 'failed jobs')} of {self.queue}?"
            case "cancel" | "remove":
                return f"{self.doing} job {self.job_id} of {self.queue}?"
            case _:
                return ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to be chosen from at present.

    Attributes:
        queues: Their names, in the order of the rows.
        paused: Which of them are paused.
        failed: How many failed jobs each has.
        jobs: Ids of the jobs that are listed.
        lines: How many lines the job has that is looked into.
    """

    queues: Sequence[str] = ()
    paused: frozenset[str] = frozenset()
    failed: Sequence[int] = ()
    jobs: Sequence[str] = ()
    lines: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What is shown.

    Attributes:
        queue: Which row of the queues is chosen.
        state: Whose jobs are listed.
        job: Which row of the jobs is chosen.
        job_id: The job that is looked into.
        scroll: How many of its lines are above the screen.
        asking: What waits for a `y`.
        message: What was done last, or why not.
        over: Whether to end.
    """

    screen: Screen = Screen.QUEUES
    queue: int = 0
    state: JobState = JobState.ACTIVE
    job: int = 0
    job_id: str = ""
    scroll: int = 0
    asking: Action | None = None
    message: str = ""
    over: bool = False


def pressed(view: View, key: str, choices: Choices) -> tuple[View, Action | None]:
    """What a key does: the view after it, and what is to be done."""
    if view.asking is not None:
        asked = replace(view, asking=None, message="" if key == "y" else "nothing was done")
        return asked, view.asking if key == "y" else None
    view = replace(view, message="")
    if key == "q":
        return replace(view, over=True), None
    if key == "?":
        return replace(view, screen=Screen.HELP), None
    if key in {"escape", "left", "backspace"}:
        return _back(view), None
    if view.screen is Screen.HELP or not choices.queues:
        return view, None
    moved = _moved(view, key, choices)
    if moved is not None:
        return moved, None
    action = _action(view, key, choices)
    if action is not None and action.question:
        return replace(view, asking=action), None
    return view, action


def kept(view: View, before: Choices, now: Choices) -> View:
    """The view with the same job chosen as before, where the list has moved under it."""
    if view.screen is Screen.JOBS and before.jobs and now.jobs:
        chosen = before.jobs[_within(view.job, before.jobs)]
        if chosen in now.jobs:
            return replace(view, job=now.jobs.index(chosen))
    return view


def _back(view: View) -> View:
    if view.screen is Screen.JOB:
        return replace(view, screen=Screen.JOBS, scroll=0)
    return replace(view, screen=Screen.QUEUES, job=0)


def _moved(view: View, key: str, choices: Choices) -> View | None:
    steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -10, "page down": 10}
    if key in steps:
        step = steps[key]
        if view.screen is Screen.JOB:
            return replace(view, scroll=max(0, min(view.scroll + step, choices.lines - 1)))
        if view.screen is Screen.JOBS:
            return replace(view, job=_within(view.job + step, choices.jobs))
        return replace(view, queue=_within(view.queue + step, choices.queues))
    if key in {"enter", "right"}:
        if view.screen is Screen.QUEUES:
            return replace(view, screen=Screen.JOBS, job=0)
        if view.screen is Screen.JOBS and choices.jobs:
            job_id = choices.jobs[_within(view.job, choices.jobs)]
            return replace(view, screen=Screen.JOB, job_id=job_id, scroll=0)
    if key in {"tab", "back tab"} and view.screen is Screen.JOBS:
        place = STATES.index(view.state) + (1 if key == "tab" else -1)
        return replace(view, state=STATES[place % len(STATES)], job=0)
    return None


def _within(place: int, rows: Sequence[str]) -> int:
    return max(0, min(place, len(rows) - 1))


def _action(view: View, key: str, choices: Choices) -> Action | None:
    place = _within(view.queue, choices.queues)
    queue = choices.queues[place]
    if key == "p":
        return Action("resume" if queue in choices.paused else "pause", queue)
    if view.screen is Screen.QUEUES:
        failed = choices.failed[place]
        return Action("retry-all", queue, count=failed) if key == "r" and failed else None
    job_id = view.job_id
    if view.screen is Screen.JOBS:
        job_id = choices.jobs[_within(view.job, choices.jobs)] if choices.jobs else ""
    doing: dict[str, Doing] = {"r": "retry", "n": "promote", "c": "cancel", "x": "remove"}
    return Action(doing[key], queue, job_id) if key in doing and job_id else None
