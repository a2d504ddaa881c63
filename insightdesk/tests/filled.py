"""An organization with a row in every table, made from the tables themselves: one that is added later is
filled by itself. And a small value for each schema of the OpenAPI document."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Numeric,
    Table,
    Time,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.database import new_id
from insightdesk.tables import metadata
from insightdesk.tenancy import tenant_tables

Document = dict[str, Any]

# Tables whose columns depend on each other: what a row of theirs must not have.
_EMPTY = {"sla_escalation_steps": {"team_id"}}


async def fill(session: AsyncSession, organization_id: str, mark: str) -> dict[str, str]:
    """Put a row into each tenant table where the organization has none.

    Args:
        mark: stands in every text.

    Returns:
        The id (or first key) of a row, by table.
    """
    ids: dict[str, str] = {"organizations": organization_id}
    for table, column in tenant_tables(metadata):
        if table.name == "organizations":
            continue
        key = next(iter(table.primary_key))
        found = await session.scalar(select(key).where(table.c[column] == organization_id).limit(1))
        if found is None:
            row = {
                one.name: _value(table, one, ids, mark) for one in table.c if one.autoincrement is not True
            }
            found = await session.scalar(insert(table).values(row).returning(key))
        ids[table.name] = str(found)
    return ids


def _value(table: Table, column: Column[Any], ids: dict[str, str], mark: str) -> object:
    if column.name in _EMPTY.get(table.name, ()):
        return None
    for foreign in column.foreign_keys:
        parent = foreign.column.table.name
        if parent in ids:
            return ids[parent]
        return None
    kind = column.type
    if isinstance(kind, Enum):
        members = kind.enum_class
        return next(iter(members)) if members else kind.enums[0]
    for kinds, value in (
        (Boolean, False),
        (DateTime, datetime.now(UTC)),
        (Date, datetime.now(UTC).date()),
        (Time, datetime.now(UTC).time()),
        ((Integer, Float, Numeric), 1),
        (JSONB, {}),
        (ARRAY, []),
    ):
        if isinstance(kind, kinds):  # type: ignore[arg-type]
            return value
    if column.primary_key:
        return new_id()
    return f"{mark} {table.name}.{column.name} {new_id()}" if column.unique else mark


async def fingerprint(session: AsyncSession, organization_id: str) -> dict[str, str]:
    """What the organization's rows are, by table: any change of any column changes it."""
    found = {}
    for table, column in tenant_tables(metadata):
        rows = await session.scalars(
            text(f"SELECT t::text FROM {table.name} t WHERE {column} = :id ORDER BY 1"),
            {"id": organization_id},
        )
        found[table.name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


async def crossing_references(session: AsyncSession) -> list[str]:
    """Foreign keys by which a row of one organization points to a row of another."""
    crossing = []
    tables = {table.name for table, _ in tenant_tables(metadata)} - {"organizations"}
    for name in sorted(tables):
        for column in metadata.tables[name].c:
            for foreign in column.foreign_keys:
                parent = foreign.column.table.name
                if parent not in tables:
                    continue
                count = await session.scalar(
                    text(
                        f"SELECT count(*) FROM {name} c JOIN {parent} p "
                        f"ON p.{foreign.column.name} = c.{column.name} "
                        "WHERE p.organization_id <> c.organization_id"
                    )
                )
                if count:
                    crossing.append(f"{name}.{column.name}")
    return crossing


def example(schema: Document, document: Document, ids: dict[str, str], name: str = "") -> object:
    """A value that fits a schema; where the name asks for an id, one of ``ids``."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return example(next(one for one in schema["anyOf"] if one.get("type") != "null"), document, ids, name)
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {
                key: example(value, document, ids, key) for key, value in schema.get("properties", {}).items()
            }
        case "array":
            return [example(schema["items"], document, ids, name)] if schema.get("maxItems", 1) else []
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "string":
            return _text(schema, ids, name)
    return {}


def _text(schema: Document, ids: dict[str, str], name: str) -> str:
    if name.lower().endswith(("id", "ids", "by")):
        return id_for(name, ids)[0]
    formats = {"date-time": "2026-11-25T12:00:00Z", "date": "2026-11-25", "time": "12:00:00"}
    if "format" in schema:
        return formats.get(schema["format"], "x")
    if "@" in schema.get("pattern", "") or "mail" in name.lower():
        return f"{new_id()}@attacker.example"
    return "x" * max(schema.get("minLength", 1), 1)


def id_for(name: str, ids: dict[str, str]) -> list[str]:
    """The ids that a parameter may mean, by its name; all of them where nothing fits."""
    people = ("assignee", "customer", "member", "actor", "owner", "requested")
    stem = name.lower().removesuffix("ids").removesuffix("id").rstrip("_")
    if any(stem.startswith(one) for one in people):
        return [ids["users"]]
    return [value for table, value in ids.items() if stem and table.startswith(stem[:5])] or list(
        ids.values()
    )
