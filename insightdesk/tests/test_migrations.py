"""Migrations: whole, repeatable, and missed in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from databases import empty_database
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from insightdesk import migrations
from insightdesk.database import sqlalchemy_url
from insightdesk.migrations import DatabaseUnreachable, MigrationsMissing, check_migrated, migrate
from insightdesk.sla import deadlines, movement
from insightdesk.sla.calendar import RoundTheClock
from insightdesk.sla.models import SlaClock
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


NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = 3600.0


def _before(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


# Clocks of an hour as they were when pauses were only a later deadline: minutes before now of start, deadline
# and what else there was.
FORMER_CLOCKS: list[dict[str, object]] = [
    {"started_at": _before(10), "due_at": _before(-50)},
    {"started_at": _before(50), "due_at": _before(-10)},
    {"started_at": _before(120), "due_at": _before(60)},
    {"started_at": _before(90), "due_at": _before(-30)},  # it had stood still for an hour
    {"started_at": _before(60), "due_at": NOW, "paused_since": _before(30), "remaining_seconds": HOUR / 2},
    {"started_at": _before(60), "due_at": _before(-10), "paused_since": _before(20),
     "remaining_seconds": HOUR / 2},  # it stands still for the second time
    {"started_at": _before(180), "due_at": _before(120), "breached_at": _before(120)},
    {"started_at": _before(180), "due_at": _before(120), "fulfilled_at": _before(150)},
]  # fmt: skip


def test_clocks_of_before_go_on_by_the_rules_of_now(postgres_url: str) -> None:
    with empty_database(postgres_url) as url:
        engine = create_engine(sqlalchemy_url(url))
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(Path(migrations.__file__).parent))
            config.attributes["connection"] = connection
            command.upgrade(config, "0014")
            for statement in (
                "INSERT INTO organizations (id, name, slug, time_zone, last_ticket_number)"
                " VALUES ('o', 'O', 'o', 'UTC', 1)",
                "INSERT INTO users (id, organization_id, email, name, role, active)"
                " VALUES ('u', 'o', 'u@o.example', 'U', 'customer', true)",
                "INSERT INTO tickets (id, organization_id, number, subject, status, priority, customer_id,"
                " created_at, updated_at) VALUES ('t', 'o', 1, 's', 'open', 'normal', 'u', now(), now())",
            ):
                connection.execute(text(statement))
            # The migration compares with the server's clock.
            moved = datetime.now(UTC) - NOW
            for cycle, given in enumerate(FORMER_CLOCKS):
                row = {
                    name: value + moved if isinstance(value, datetime) else value
                    for name, value in given.items()
                }
                row |= {"id": f"c{cycle}", "cycle": cycle}
                columns = ", ".join(row)
                values = ", ".join(f":{name}" for name in row)
                connection.execute(
                    text(
                        f"INSERT INTO sla_clocks ({columns}, organization_id, ticket_id, metric,"
                        f" target_seconds, version, staged_version)"
                        f" VALUES ({values}, 'o', 't', 'resolution', {HOUR}, 3, 3)"
                    ),
                    row,
                )
        migrate(url)
        with Session(engine) as session:
            clocks = session.scalars(select(SlaClock).order_by(SlaClock.cycle)).all()
        engine.dispose()
    assert len(clocks) == len(FORMER_CLOCKS)
    for clock in clocks:
        assert clock.version > clock.staged_version  # its check is staged anew
        timing = deadlines.timing(movement.run_of(clock), RoundTheClock(), clock.target_seconds)
        if clock.paused_since is None:
            assert (timing.warn_at, timing.due_at) == (clock.warn_at, clock.due_at)
        else:
            assert timing.remaining_seconds == clock.remaining_seconds
        due = clock.next_at
        movement.settle(clock, [])
        assert clock.next_at == due
