"""The schema's migrations, run from Python: no ini file, no working directory."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from insightdesk import tenancy
from insightdesk.database import CONNECT_TIMEOUT, sqlalchemy_url
from insightdesk.tables import metadata

# Any number that nothing else on the server takes: processes that start together migrate in turn.
_LOCK = 7_246_353_118


class MigrationsMissing(RuntimeError):
    """The database's schema is older than the program."""


class DatabaseUnreachable(RuntimeError):
    """PostgreSQL cannot be reached."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def head_revision() -> str | None:
    """The newest migration that the program has."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current_revision(connection: Connection) -> str | None:
    """The migration that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()


def _reason(error: OperationalError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else "no answer"


def migrate(database_url: str) -> None:
    """Bring the database's schema up to date; safe to call from many processes at once.

    Raises:
        DatabaseUnreachable: In one line, why.
    """
    engine = create_engine(sqlalchemy_url(database_url), connect_args={"connect_timeout": CONNECT_TIMEOUT})
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            tenancy.install(connection, metadata)
    except OperationalError as error:
        raise DatabaseUnreachable(f"cannot reach PostgreSQL: {_reason(error)}") from None
    finally:
        engine.dispose()


def check_migrated(database_url: str) -> None:
    """Make sure that the database has every migration.

    Raises:
        MigrationsMissing: In one line, what to run.
        DatabaseUnreachable: In one line, why.
    """
    engine = create_engine(sqlalchemy_url(database_url), connect_args={"connect_timeout": CONNECT_TIMEOUT})
    try:
        with engine.connect() as connection:
            current = current_revision(connection)
    except OperationalError as error:
        raise DatabaseUnreachable(f"cannot reach PostgreSQL: {_reason(error)}") from None
    finally:
        engine.dispose()
    if current != head_revision():
        raise MigrationsMissing(
            f"the database is at migration {current or 'none'}, the program needs {head_revision()}: "
            "run `insightdesk migrate`"
        )
