"""The one Toril application of the helpdesk, and the presets that its job definitions share."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypedDict

import toril
from insightdesk.kit.redaction import PRIVATE
from insightdesk.logs import log_run
from insightdesk.settings import get_settings
from insightdesk.tenancy import confine_job
from toril.telemetry.logs import JobLogs
from toril.telemetry.prometheus import Metrics
from toril.telemetry.tracing import Tracing

__all__ = ["HIGH", "LOW", "MEDIUM", "Preset", "app", "declared_fields", "delivery_key", "serve_also"]


class PresetOptions(TypedDict):
    """What a job definition takes of a preset."""

    attempts: int
    backoff: toril.Backoff
    priority: int


@dataclass(frozen=True)
class Preset:
    """What a class of jobs has in common.

    Attributes:
        attempts: how often a job is tried in all.
        backoff: the wait before each further try.
        priority: 1 is served first.
    """

    attempts: int
    backoff: toril.Backoff
    priority: int

    @property
    def options(self) -> PresetOptions:
        """For a job definition: `@app.job(…, **HIGH.options)`."""
        return {"attempts": self.attempts, "backoff": self.backoff, "priority": self.priority}


HIGH = Preset(attempts=5, backoff=toril.Backoff.exponential(30.0, jitter=0.1), priority=1)
MEDIUM = Preset(attempts=3, backoff=toril.Backoff.exponential(60.0, jitter=0.1), priority=5)
LOW = Preset(attempts=2, backoff=toril.Backoff.exponential(300.0, jitter=0.1), priority=10)

METRICS_MINUTES = 24 * 60
"""For how long each minute's ends of jobs are counted, for the rates that administrators see."""

app = toril.Toril(
    get_settings().valkey_url,
    name="insightdesk",
    middleware=[log_run, confine_job],
    metrics_minutes=METRICS_MINUTES,
    telemetry=[Tracing(), JobLogs(), Metrics(queues=False)],
)


def serve_also(definition: toril.JobDefinition[..., Any], queue: str, *names: str) -> None:
    """Let the job's handler serve another queue too, under each of these names, for foreign producers.

    Raises:
        toril.InvalidOption: a name is taken in that queue.
    """
    for name in names:
        app.job(queue, name=name, **definition.default_options)(definition.handler)


def delivery_key(job: toril.Job) -> str:
    """What makes the effects of a job happen once, however often it runs.

    Ids that a queue counts up (Node's default) start again when the queue is wiped, so those also carry
    the moment at which the job was added.
    """
    if job.id.isdecimal() and job.timestamp is not None:
        return f"{job.queue}:{job.id}:{job.timestamp.timestamp():.3f}"
    return f"{job.queue}:{job.id}"


@lru_cache(maxsize=256)
def declared_fields(queue: str, name: str) -> dict[str, bool] | None:
    """The fields of a job's type by their names on the wire, and whether each is `Private`.

    Returns:
        None if no such type is declared.
    """
    import insightdesk.worker  # noqa: F401 - it declares every job, and needs this module first

    for definition in app.definitions:
        if (definition.queue, definition.name) == (queue, name):
            hints = typing.get_type_hints(definition.handler, include_extras=True)
            names = definition.payload.wire_names
            return {wire: _is_private(hints[parameter]) for parameter, wire in names.items()}
    return None


def _is_private(hint: object) -> bool:
    if PRIVATE in getattr(hint, "__metadata__", ()):
        return True
    return any(_is_private(part) for part in typing.get_args(hint))
