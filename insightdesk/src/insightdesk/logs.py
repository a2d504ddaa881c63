"""Structured logs, of ours and of the libraries alike, with what is personal or secret taken out.

A job is told by queue, name, id and attempt; its data never are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

import toril
from insightdesk.kit.redaction import HIDDEN, mask
from insightdesk.settings import Settings
from toril.telemetry.logs import configure_logs

__all__ = ["configure_logging", "log_run", "redact_event"]

log = structlog.get_logger(__name__)

_PRIVATE_KEYS = frozenset(
    {
        "address", "authorization", "body", "cookie", "data", "email", "html", "message", "password",
        "payload", "recipient", "secret", "subject", "text", "to", "token",
    }
)  # fmt: skip


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor through which every entry goes: private keys are hidden, texts are masked."""
    for key, value in event.items():
        if key in _PRIVATE_KEYS and value is not None:
            event[key] = HIDDEN
        elif isinstance(value, str):
            event[key] = mask(value)
        elif key not in ("_record", "exc_info") and not isinstance(value, bool | int | float | None):
            event[key] = mask(str(value))
    return event


def configure_logging(settings: Settings) -> None:
    """Let all logs of the process go to stderr, one entry a line: for people on a terminal, else as JSON.

    The level of the settings is ours and toril's; other libraries are told from WARNING on.
    """
    configure_logs(
        form="pretty" if settings.log_format == "console" else settings.log_format,
        level=settings.log_level,
        only=("insightdesk", "toril"),
        processors=[redact_event],
    )
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(logging.INFO)


async def log_run(job: toril.Job, call: Callable[[], Awaitable[toril.Json]]) -> toril.Json:
    """Middleware of the workers: each run's begin, end and time; a failure with its class and masked text."""
    facts = {"queue": job.queue, "job": job.name, "job_id": job.id, "attempt": job.attempts_made + 1}
    begun = time.perf_counter()
    log.debug("job begins", **facts)
    try:
        result = await call()
    except toril.Outcome as outcome:
        level = log.warning if isinstance(outcome, toril.Fail) else log.debug
        level("job ends otherwise", outcome=type(outcome).__name__, error=str(outcome), **facts)
        raise
    except Exception as error:
        log.warning("job failed", error_class=type(error).__name__, error=str(error), **facts)
        raise
    log.debug("job completed", seconds=round(time.perf_counter() - begun, 3), **facts)
    return result
