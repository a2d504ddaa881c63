"""What a user can mend is told in one line on stderr; everything else keeps its traceback."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import NoReturn
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

import toril
from insightdesk.email.providers import InvalidMailUrl
from insightdesk.embedded import EmbeddedFailed
from insightdesk.kit.errors import DeskError
from insightdesk.migrations import DatabaseUnreachable, MigrationsMissing
from insightdesk.settings import SettingsError

__all__ = ["Problem", "check_port", "check_valkey", "explain", "give_up"]


class Problem(Exception):
    """Something that the user can mend; the message is the line that he reads."""


_MENDABLE = (
    Problem,
    DatabaseUnreachable,
    DeskError,
    EmbeddedFailed,
    InvalidMailUrl,
    MigrationsMissing,
    SettingsError,
    toril.TorilError,
)


def check_port(host: str, port: int) -> None:
    """Tells before anything is started that the port is taken.

    Raises:
        Problem: it is, or may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Problem(
                f"port {port} cannot be used ({error.strerror}); choose another with --port"
            ) from error


async def check_valkey(url: str) -> None:
    """Tells before a worker starts that there is nothing to work on.

    Raises:
        Problem: the server does not answer within five seconds.
        toril.TorilError: it answers, and refuses.
    """
    parts = urlsplit(url)
    try:
        async with toril.Queue("email", url=url) as queue:
            await asyncio.wait_for(queue.is_paused(), 5.0)
    except (TimeoutError, OSError, toril.ConnectionFailed) as error:
        place = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
        raise Problem(f"Valkey cannot be reached at {place}") from error


def explain(error: Exception) -> str | None:
    """The line for an error that a user can mend, or None."""
    if isinstance(error, OperationalError):
        reason = (str(error.orig).strip().splitlines() or ["no answer"])[0]
        return f"the database cannot be reached: {reason}"
    if isinstance(error, ProgrammingError) and "does not exist" in str(error.orig):
        return "the database has no tables yet; run `insightdesk migrate`"
    if isinstance(error, DBAPIError):
        return None
    return str(error) if isinstance(error, _MENDABLE) else None


def give_up(line: str) -> NoReturn:
    """Prints the line and ends with exit code 1."""
    print(f"insightdesk: {' '.join(line.split())}", file=sys.stderr)
    raise SystemExit(1)
