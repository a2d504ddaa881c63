"""Further databases on the session's server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, make_url, text

from insightdesk.migrations import migrate


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """A database without tables, which is gone afterwards; its URL."""
    name = f"own_{uuid.uuid4().hex[:12]}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@contextmanager
def migrated_database(server_url: str) -> Iterator[str]:
    """A migrated database, which is gone afterwards; its URL."""
    with empty_database(server_url) as url:
        migrate(url)
        yield url
