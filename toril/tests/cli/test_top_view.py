"""`toril top` without a terminal: what keys do, and what a frame looks like at any size."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from toril.cli.top.frame import draw
from toril.cli.top.keys import keys_in
from toril.cli.top.view import Action, Choices, Screen, View, kept, pressed
from toril.cli.top.watch import Row, Sight
from toril.inspection.running import Running, WorkerState
from toril.inspection.survey import Flow, Survey
from toril.job import JobState
from toril.record import Job
from toril.storage.bulk import STATES

CHOICES = Choices(["email", "sms"], frozenset({"sms"}), [3, 0], ["7", "8", "9"], 40)
KEYS = ["up", "down", "enter", "left", "tab", "back tab", "page up", "page down", *"pqrncxyzjk?"]


def after(*keys: str, view: View | None = None) -> tuple[View, Action | None]:
    """The view after some keys, and what the last one does."""
    view, action = view or View(), None
    for key in keys:
        view, action = pressed(view, key, CHOICES)
    return view, action


def test_keys_of_a_terminal_are_known_by_name() -> None:
    assert keys_in("\x1b[A\x1b[B\x1bOCq\r\t\x1b[Z\x7f") == [
        "up", "down", "right", "q", "enter", "tab", "back tab", "backspace"
    ]  # fmt: skip
    assert keys_in("\x1b") == ["escape"]
    assert keys_in("\x1b[15~\x00ä") == ["ä"]


def test_a_queue_is_paused_and_another_resumed() -> None:
    assert after("p")[1] == Action("pause", "email")
    assert after("down", "p")[1] == Action("resume", "sms")


def test_one_goes_into_a_queue_a_job_and_back() -> None:
    view, _ = after("enter")
    assert (view.screen, view.state) == (Screen.JOBS, JobState.ACTIVE)
    view, _ = after("tab", "tab", "back tab", "down", "enter", view=view)
    assert (view.screen, view.state, view.job_id) == (Screen.JOB, JobState.WAITING, "8")
    assert after("escape", view=view)[0].screen is Screen.JOBS
    assert after("escape", "escape", view=view)[0].screen is Screen.QUEUES
    assert after("?")[0].screen is Screen.HELP
    assert after("q")[0].over


@pytest.mark.parametrize(
    ("keys", "question", "action"),
    [
        ("r", "retry 3 failed jobs of email?", Action("retry-all", "email", count=3)),
        ("c", "cancel job 7 of email?", Action("cancel", "email", "7")),
        ("x", "remove job 7 of email?", Action("remove", "email", "7")),
    ],
)
def test_what_cannot_be_taken_back_is_asked_first(keys: str, question: str, action: Action) -> None:
    into = ("enter",) if action.job_id else ()
    view, done = after(*into, keys)
    assert view.asking is not None
    assert (view.asking.question, done) == (question, None)
    assert after("y", view=view)[1] == action
    refused, done = after("n", view=view)
    assert (refused.asking, refused.message, done) == (None, "nothing was done", None)


def test_one_job_is_retried_or_promoted_at_once() -> None:
    assert after("enter", "r")[1] == Action("retry", "email", "7")
    assert after("enter", "enter", "n")[1] == Action("promote", "email", "7")
    assert after("down", "r")[1] is None  # nothing has failed there


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(KEYS), max_size=30))
def test_no_keys_do_harm_without_a_yes(keys: list[str]) -> None:
    view = View()
    for key in keys:
        before = view
        view, action = pressed(view, key, CHOICES)
        if action is not None and action.question:
            assert key == "y"
            assert before.asking == action
        assert 0 <= view.queue < 2
        assert 0 <= view.job < 3
        assert 0 <= view.scroll < 40


def test_the_chosen_job_stays_chosen_when_the_list_moves() -> None:
    view = View(screen=Screen.JOBS, job=1)
    assert kept(view, CHOICES, Choices(jobs=["3", "7", "8"])).job == 2
    assert kept(view, CHOICES, Choices(jobs=["3"])).job == 1


def sight(names: list[str]) -> Sight:
    now = datetime.now(UTC)
    counts = dict.fromkeys(STATES, 1_234_567)
    survey = Survey(now, counts, True, 86_400.0, Flow(12_345.6, 9.94, 0.0), 1.0)
    running = [Running(str(n), "näme", now - timedelta(seconds=n), n) for n in range(9)]
    jobs = [Job(None, name, {b"name": name.encode()}) for name in names]  # type: ignore[arg-type]
    return Sight(
        now,
        [Row(name, survey, survey.flow) for name in names],
        [WorkerState(name, jobs=running) for name in names],
        jobs,
        5,
        names * 9,
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(min_size=1, max_size=30), max_size=30),
    st.sampled_from(Screen),
    st.integers(0, 40),
    st.integers(20, 200),
    st.integers(6, 60),
)
def test_a_frame_fits_any_terminal(
    names: list[str], screen: Screen, place: int, width: int, height: int
) -> None:
    screen = screen if names else Screen.QUEUES
    view = View(screen=screen, queue=place, job=place, scroll=place, message="done")
    lines = draw(view, sight(names), "toril top", "", width, height)
    assert len(lines) == height
    assert all(cell_len(line.plain) <= width and line.plain.isprintable() for line in lines)


def test_the_chosen_row_is_on_the_screen_of_80_by_24() -> None:
    names = [f"queue-{n}" for n in range(50)]
    lines = draw(View(queue=40), sight(names), "toril top", "", 80, 24)
    chosen = [line.plain for line in lines if line.style == "reverse"]
    assert [line.split()[:2] for line in chosen] == [["‖", "queue-40"]]
    assert chosen[0].split()[2:] == ["12k", "9.9", "0.0", "3.7M", "1.2M", "1.2M", "1.2M", "-", "24", "h"]
