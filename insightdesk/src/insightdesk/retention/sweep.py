"""Taking a person's name and address out of every table, whatever feature it belongs to.

Features know what her records mean (`erase_person`); this finds where she is named besides: in what others
wrote, in documents, in errors. A table that is added later is swept without anybody's remembering it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, Text, bindparam, cast, func, or_, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import Column

from insightdesk.accounts.models import User
from insightdesk.database import Base
from insightdesk.retention.models import ErasureReceipt
from insightdesk.retention.person import ERASED, Gone, Person, is_anothers, without

_LEFT_ALONE = frozenset({User.__tablename__, ErasureReceipt.__tablename__})
"""Users: another person may have the same name. Receipts: they hold what is looked for until it is gone."""


async def tables(session: AsyncSession, person: Person) -> int:
    """Rewrite every text of the organization that names her; returns how many rows were changed."""
    changed = 0
    for table in Base.metadata.sorted_tables:
        columns = [column for column in table.columns if _holds_text(column)]
        if columns and "organization_id" in table.c and table.name not in _LEFT_ALONE:
            changed += await _sweep(session, table, columns, person)
    return changed


def _holds_text(column: Column[object]) -> bool:
    """Free text and documents; not keys, and not what can only be one of a few words."""
    written = isinstance(column.type, (Text, JSONB))
    return written and not column.primary_key and not column.foreign_keys


async def _sweep(session: AsyncSession, table: Table, columns: list[Column[object]], person: Person) -> int:
    names_her = or_(*(cast(column, Text).op("~*")("|".join(person.patterns)) for column in columns))
    changed = await session.execute(
        update(table)
        .where(table.c.organization_id == person.organization_id, names_her)
        .values({column.name: _without(column, person) for column in columns})
        .returning(table.c.organization_id)
    )
    return len(changed.all())


def _without(column: Column[object], person: Person) -> ColumnElement[object]:
    result: ColumnElement[str] = cast(column, Text)
    address, *names = person.patterns
    # An address may be a key, and two erased people must not get the same.
    result = func.regexp_replace(result, address, person.no_address, "gi")
    for name in names:
        result = func.regexp_replace(result, name, ERASED, "gi")
    return cast(result, column.type)


_NAMING = text(
    "SELECT id, data FROM toril_outbox "
    "WHERE data::text ~* :pattern OR strpos(data::text, :user_id) > 0 ORDER BY id FOR UPDATE"
)


_REWRITE = text("UPDATE toril_outbox SET data = :data WHERE id = :id").bindparams(
    bindparam("data", type_=JSONB())
)


async def outbox(session: AsyncSession, person: Person) -> int:
    """Take her out of jobs that have not left for the queues; returns how many were changed or removed."""
    rows = await session.execute(_NAMING, {"pattern": "|".join(person.patterns), "user_id": person.user_id})
    gone, rewritten = [], []
    for row in rows:
        rest = without(row.data, person)
        if is_anothers(row.data, person) or rest == row.data:
            continue
        if isinstance(rest, Gone):
            gone.append(row.id)
        else:
            rewritten.append({"id": row.id, "data": rest})
    if gone:
        await session.execute(text("DELETE FROM toril_outbox WHERE id = ANY(:ids)"), {"ids": gone})
    if rewritten:
        await session.execute(_REWRITE, rewritten)
    return len(gone) + len(rewritten)
