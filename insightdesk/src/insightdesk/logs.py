"""Structured logs, of ours and of the libraries alike, with what is personal or secret taken out.

A job is told by queue, name, id and attempt; its data never are.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

import toril
from insightdesk.kit.redaction import HIDDEN, mask
from insightdesk.settings import Settings

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
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("insightdesk", "toril"):
        logging.getLogger(name).setLevel(settings.log_level)
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(logging.INFO)


async def log_run(job: toril.Job, call: Callable[[], Awaitable[toril.Json]]) -> toril.Json:
    """Middleware of the workers: each run's begin, end and time; a failure with its class and masked text."""
    facts = {"queue": job.queue, "job": job.id, "job_type": job.name, "attempt": job.attempts_made + 1}
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
