"""Errors that a client may cause or must know of, and their way into the envelope.

DeskError
├── NotFound       404  it is not there, or not for this caller's eyes
├── Unauthorized   401  no valid token or session
├── Forbidden      403  the role is not enough
├── TooSlow        408  the body did not arrive in time
├── Conflict       409  it has been done already, or cannot be done in this state
├── TooLarge       413  the body is too long
├── Invalid        422  the input does not fit the rules
├── TooMany        429  try later
└── Unavailable    503  a server that we need cannot be reached
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from insightdesk.kit.envelope import ErrorEnvelope

log = structlog.get_logger(__name__)


class DeskError(Exception):
    """An error with a status; its message is for the client."""

    status = 400


class NotFound(DeskError):
    """It is not there, or not for this caller's eyes."""

    status = 404


class Unauthorized(DeskError):
    """No valid token or session."""

    status = 401


class Forbidden(DeskError):
    """The caller's role is not enough."""

    status = 403


class Conflict(DeskError):
    """It has been done already, or cannot be done in this state."""

    status = 409


class TooSlow(DeskError):
    """The body did not arrive in time."""

    status = 408


class TooLarge(DeskError):
    """The body is too long."""

    status = 413


class Invalid(DeskError):
    """The input does not fit the rules."""

    status = 422


class TooMany(DeskError):
    """Too many tries."""

    status = 429


class Unavailable(DeskError):
    """A server that we need cannot be reached."""

    status = 503


def failure(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error's answer."""
    if status == Unauthorized.status:
        headers = {**(headers or {}), "WWW-Authenticate": "Bearer"}
    return JSONResponse(ErrorEnvelope(error=message).model_dump(), status, headers)


def documented_errors() -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document tells of errors: each route may answer with any of them."""
    kinds = (Unauthorized, Forbidden, NotFound, TooSlow, Conflict, TooLarge, Invalid, TooMany, Unavailable)
    told = {kind.status: (kind.__doc__ or "").strip() for kind in kinds}
    told[400] = "The body cannot be read."
    return {
        status: {"model": ErrorEnvelope, "description": description}
        for status, description in sorted(told.items())
    }


def allowed_methods(app: FastAPI, path: str) -> Sequence[str]:
    """The methods that the OpenAPI document has for a path."""
    documented = app.openapi()["paths"]
    fitting = (
        [path] if path in documented else [one for one in documented if compile_path(one)[0].match(path)]
    )
    return sorted({method.upper() for one in fitting for method in documented[one]})


def explain(errors: Sequence[Any]) -> str:
    """Pydantic's errors in one line, each with the place that it speaks of."""
    parts = []
    for error in errors:
        steps = [str(step) for step in error["loc"]]
        place = ".".join(steps[1:] if steps and steps[0] in ("body", "query", "path") else steps)
        message = str(error["msg"]).removeprefix("Value error, ")
        parts.append(f"{place}: {message}" if place else message)
    return "; ".join(parts)


def install_error_handlers(app: FastAPI) -> None:
    """Make every failure of ``app`` come out as an envelope."""

    @app.exception_handler(DeskError)
    async def desk_error(_: Request, error: DeskError) -> JSONResponse:
        return failure(error.status, str(error))

    @app.exception_handler(RequestValidationError)
    async def validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        return failure(Invalid.status, explain(error.errors()))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            # The framework names the methods of one route alone, and a path may have several.
            allow = {"Allow": ", ".join(allowed_methods(app, request.url.path))}
            return failure(405, str(error.detail), allow)
        return failure(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(PoolTimeout)
    @app.exception_handler(OperationalError)
    async def database_gone(_: Request, error: Exception) -> JSONResponse:
        log.error("database not reachable", error=str(error).splitlines()[0])
        return failure(Unavailable.status, "the database cannot be reached; try again shortly")

    @app.exception_handler(DBAPIError)
    async def database_error(_: Request, error: DBAPIError) -> JSONResponse:
        if error.connection_invalidated:
            return await database_gone(_, error)
        log.error("database error", exc_info=error)
        return failure(500, "internal error")
