"""structlog: entries as JSON or for people, which say in which run of which job they were made."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Literal, TextIO

import structlog
from opentelemetry import trace

from ..hooks import Telemetry
from ..job import Json
from ..record import Job
from .reading import readable

Event = MutableMapping[str, Any]
"""One entry, as structlog's processors have it."""

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


class JobLogs(Telemetry):
    """Binds `queue`, `job`, `job_id` and `attempt` to what is logged within a run, from threads too."""

    async def running(self, job: Job, run: Callable[[], Awaitable[Json]]) -> Json:
        """Bind while the run goes on."""
        with structlog.contextvars.bound_contextvars(
            queue=job.queue, job=job.name, job_id=job.id, attempt=readable(lambda: job.attempts_made, 0) + 1
        ):
            return await run()


def with_trace(_logger: object, _method: str, event: Event) -> Event:
    """The processor that adds `trace_id` and `span_id` of the span in which an entry is made."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def without_controls(_logger: object, _method: str, event: Event) -> Event:
    """The processor that shows control characters, which a terminal would obey; JSON has them escaped."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = value.translate(_CONTROLS)
    return event


def configure_logs(
    *,
    form: Literal["auto", "json", "pretty"] = "auto",
    level: str = "INFO",
    only: Sequence[str] = (),
    processors: Sequence[structlog.typing.Processor] = (),
    stream: TextIO | None = None,
) -> None:
    """Let all entries of the process, structlog's and the standard library's, go to one stream, a line each.

    Args:
        form: `json`, `pretty` for people, or `auto`: pretty on a terminal, else JSON.
        level: The least level that is told.
        only: Names of loggers to which that is confined; others are told from WARNING on. All if none.
        processors: Further ones, e.g. what redacts; each gets the whole entry last.
        stream: By default the standard error.
    """
    out = sys.stderr if stream is None else stream
    as_json = form == "json" or (form == "auto" and not out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_trace,
        structlog.processors.format_exc_info,
        *processors,
    ]
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if as_json
        else [
            without_controls,
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING if only else level)
    for name in only:
        logging.getLogger(name).setLevel(level)
