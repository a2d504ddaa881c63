"""Migrations: whole, repeatable, and missed in one line."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from insightdesk.database import sqlalchemy_url
from insightdesk.migrations import DatabaseUnreachable, MigrationsMissing, check_migrated, migrate
from insightdesk.tables import metadata


def test_a_missing_migration_is_one_clear_line(postgres_url: str) -> None:
    engine = create_engine(sqlalchemy_url(postgres_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE unmigrated"))
    engine.dispose()
    url = postgres_url.replace("/insightdesk?", "/unmigrated?")
    with pytest.raises(MigrationsMissing, match="run `insightdesk migrate`"):
        check_migrated(url)
    migrate(url)
    migrate(url)
    check_migrated(url)


def test_an_unreachable_database_is_one_clear_line() -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        check_migrated("postgresql://nobody@127.0.0.1:9/none")
    assert "\n" not in str(caught.value)


def test_models_and_migrations_agree(database_url: str) -> None:
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: (kind, name) != ("table", "toril_outbox")}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()
