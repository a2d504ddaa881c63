"""Draws what `toril top` shows: a pure function of what was seen, the view and the terminal's size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ...failure import one_line
from ...inspection.lines import counted, span
from ...inspection.running import Running, WorkerState
from ..describing import NUMBERS, columns_of
from .view import STATES, Screen, View
from .watch import Row, Sight

KEYS = {
    Screen.QUEUES: "↑↓ choose  Enter jobs  p pause/resume  r retry failed  ? help  q quit",
    Screen.JOBS: "↑↓ choose  Enter look  Tab state  r retry  n now  c cancel  x remove  Esc back",
    Screen.JOB: "↑↓ scroll  r retry  n run now  c cancel  x remove  p pause  Esc back  q quit",
    Screen.HELP: "Esc back  q quit",
}
HELP = """
up, down, k, j       choose a queue or a job; scroll
Enter, right         the jobs of a queue; look into a job
Tab, Shift-Tab       jobs of the next, of the previous state
Esc, left            back
p                    pause the queue, or resume it
r                    retry all failed jobs of the queue; or the job
n                    let the delayed job run now
c, x                 cancel, remove the job
q, Ctrl-C            quit

IN/S, OUT/S, FAIL/S  jobs that were added, completed, failed, a second
P95                  so long ran 95 of 100 jobs, of a sample, at the most
AGE                  since when the first waiting job could have run
‖                    the queue is paused
"""
WIDTHS = (("IN/S", 6), ("OUT/S", 6), ("FAIL/S", 7), ("WAITING", 8), ("ACTIVE", 7), ("DELAYED", 8),
          ("FAILED", 8), ("P95", 7), ("AGE", 7))  # fmt: skip
"""The columns of the queues but their names, and how wide they are."""


def draw(view: View, sight: Sight, title: str, error: str, width: int, height: int) -> list[Text]:
    """The lines of the screen, at most `height` of at most `width` cells."""
    height = max(height, 6)
    body: Callable[[View, Sight, int, int], list[Text]] = {
        Screen.QUEUES: _queues,
        Screen.JOBS: _jobs,
        Screen.JOB: _job,
        Screen.HELP: _help,
    }[view.screen]
    lines = [_line(_sides(title, f"{sight.at:%H:%M:%S}Z", width), "bold reverse", width)]
    lines += body(view, sight, width, height - 3)[: height - 3]
    lines += [Text() for _ in range(height - 2 - len(lines))]
    if error:
        last = _line(error, "bold red", width)
    elif view.asking is not None:
        last = _line(f"{view.asking.question} y/n", "bold yellow", width)
    else:
        last = _line(view.message, "green", width)
    return [*lines, last, _line(KEYS[view.screen], "dim", width)]


def _line(text: str, style: str, width: int) -> Text:
    return Text(_fit(text, width), style=style)


def _fit(text: str, width: int, right: bool = False) -> str:
    """A text in just so many cells: cut, or filled up."""
    text = one_line(text)
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, max(0, width - 1)) + "…" if width > 0 else ""
    return " " * (width - size) + text if right else text + " " * (width - size)


def _sides(left: str, right: str, width: int) -> str:
    return f"{_fit(left, width - cell_len(right) - 1)} {right}"


def _visible(place: int, count: int, room: int) -> range:
    """Which of `count` rows are shown, so that the one at `place` is."""
    first = max(0, min(place - room // 2, count - room))
    return range(first, min(count, first + room))


def _short(number: float) -> str:
    """A number in at most six characters."""
    if number >= 999_500:
        return f"{number / 1_000_000:,.1f}M"
    return f"{number / 1000:.0f}k" if number >= 9999.5 else f"{number:,.0f}"


def _rate(per_second: float) -> str:
    return _short(per_second) if per_second >= 9.95 else f"{per_second:.1f}"


def _queues(view: View, sight: Sight, width: int, height: int) -> list[Text]:
    if not sight.rows:
        return [_line("no queues there", "", width)]
    below = min(11, height // 2)
    chosen = min(view.queue, len(sight.rows) - 1)
    name_width = max(8, width - sum(size for _, size in WIDTHS))
    head = _fit("QUEUE", name_width) + "".join(_fit(name, size, right=True) for name, size in WIDTHS)
    lines = [_line(head, "bold", width)]
    for place in _visible(chosen, len(sight.rows), max(1, height - below - 1)):
        row = sight.rows[place]
        style = "reverse" if place == chosen else "yellow" if row.survey.paused else ""
        cells = zip(_cells(row), WIDTHS, strict=True)
        text = _fit(_called(row), name_width) + "".join(
            _fit(cell, size, right=True) for cell, (_, size) in cells
        )
        lines.append(_line(text, style, width))
    return [*lines, *_below(sight, sight.rows[chosen].name, width, height - len(lines))]


def _called(row: Row) -> str:
    return f"‖ {row.name}" if row.survey.paused else row.name


def _cells(row: Row) -> tuple[str, ...]:
    survey, flow = row.survey, row.flow
    slow = survey.runs.quantile(0.95)
    age = survey.oldest_waiting
    counts = [survey.backlog, *(survey.counts[state] for state in ("active", "delayed", "failed"))]
    return (
        *map(_rate, (flow.added, flow.completed, flow.failed)),
        *map(_short, counts),
        "-" if slow is None else span(slow * 1000),
        "-" if age is None else span(age * 1000),
    )


def _below(sight: Sight, name: str, width: int, room: int) -> list[Text]:
    """The chosen queue's workers, and the jobs that run longest."""
    running = [(job, worker) for worker in sight.workers for job in worker.jobs]
    running.sort(key=lambda each: each[0].since or datetime.max.replace(tzinfo=UTC))
    half = max(1, (room - 4) // 2)
    workers = f"workers of {name}: {len(sight.workers)}"
    lines = [Text(), _line(workers, "bold", width)]
    lines += [_line(_worker(worker), "", width) for worker in sight.workers[:half]]
    lines.append(_line(f"jobs that run longest, of {len(running):,}", "bold", width))
    lines += [_line(_running(job, worker, sight.at), "", width) for job, worker in running]
    return lines[:room]


def _worker(worker: WorkerState) -> str:
    where = worker.host or "not connected"
    return f"  {_fit(worker.name, 28)} {_fit(where, 22)} runs {counted(len(worker.jobs), 'job', 'jobs')}"


def _running(job: Running, worker: WorkerState, now: datetime) -> str:
    ran = "-" if job.since is None else span((now - job.since).total_seconds() * 1000)
    cells = (_fit(ran, 8, right=True), _fit(job.id, 16), _fit(job.name, 20), _fit(worker.name, 18))
    return f"  {'  '.join(cells)}{f'  attempt {job.attempt}' if job.attempt > 1 else ''}"


def _jobs(view: View, sight: Sight, width: int, height: int) -> list[Text]:
    name = sight.rows[min(view.queue, len(sight.rows) - 1)].name
    tabs = "  ".join(f"[{state}]" if state is view.state else state for state in STATES)
    lines = [
        _line(f"{name}: {sight.total:,} {view.state} jobs", "bold", width),
        _line(tabs, "dim", width),
    ]
    columns = columns_of(view.state)
    chosen = max(0, min(view.job, len(sight.jobs) - 1))
    visible = _visible(chosen, len(sight.jobs), max(1, height - len(lines) - 1))
    rows = [[one_line(cell(sight.jobs[place])) for cell in columns.values()] for place in visible]
    head, *texts = _aligned([list(columns), *rows], width)
    lines.append(_line(head, "bold", width))
    styles = ["reverse" if place == chosen else "" for place in visible]
    return [*lines, *(_line(text, style, width) for text, style in zip(texts, styles, strict=True))]


def _aligned(table: Sequence[Sequence[str]], width: int) -> list[str]:
    """Rows under their heads, the first row; the last column has what room is left."""
    heads = table[0]
    widths = [min(20, max(cell_len(row[place]) for row in table)) for place in range(len(heads) - 1)]
    widths.append(max(8, width - sum(widths) - 2 * len(widths)))
    return [
        "  ".join(
            _fit(cell, size, head in NUMBERS) for head, cell, size in zip(heads, row, widths, strict=True)
        )
        for row in table
    ]


def _job(view: View, sight: Sight, width: int, height: int) -> list[Text]:
    first = max(0, min(view.scroll, len(sight.lines) - height))
    shown: Sequence[str] = sight.lines[first : first + height]
    return [
        _line(line, "bold" if first + place == 0 else "green" if line.startswith("  >") else "", width)
        for place, line in enumerate(shown)
    ]


def _help(view: View, sight: Sight, width: int, height: int) -> list[Text]:
    return [_line(line, "", width) for line in HELP.splitlines()]
