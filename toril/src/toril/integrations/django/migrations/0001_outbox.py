"""The outbox's table, on PostgreSQL."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_CREATE = """
CREATE TABLE IF NOT EXISTS toril_outbox (
    id text PRIMARY KEY,
    queue text NOT NULL,
    name text NOT NULL,
    data json NOT NULL,
    options json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


def create(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the table; other databases have no outbox."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_CREATE)


def drop(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Drop it, with the jobs that were not relayed."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TABLE IF EXISTS toril_outbox")


class Migration(migrations.Migration):
    """The first one."""

    operations = [migrations.RunPython(create, drop)]  # noqa: RUF012 - Django's own form
