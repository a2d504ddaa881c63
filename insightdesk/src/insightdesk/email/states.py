"""The circuits and rate limits of the providers, shared by all processes through their rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insightdesk.email.circuit import ProviderState, Verdict, admit, after_failure, after_success, held
from insightdesk.email.models import MailProvider
from insightdesk.email.providers import Provider

__all__ = ["ProviderStatus", "ask", "record_failure", "record_hold", "record_success", "statuses"]

_ADDRESS = re.compile(r"[^\s<>\"]+@[^\s<>\"]+")


@dataclass(frozen=True)
class ProviderStatus:
    """A configured provider and how it stands."""

    name: str
    rate: float | None
    state: ProviderState
    last_error: str | None
    last_error_at: datetime | None

    def open_at(self, now: datetime) -> bool:
        """Whether it is left alone at this moment."""
        return self.state.open_until is not None and self.state.open_until > now


async def ask(session: AsyncSession, provider: Provider, now: datetime) -> Verdict:
    """Whether one mail may be tried with the provider; takes the slot in this transaction if so."""
    row = await session.get(MailProvider, provider.name)
    quick = admit(_state(row), provider.rate, now)
    if (row is None and quick.state == ProviderState()) or (row is not None and quick.state == _state(row)):
        return quick  # nothing to take: no row lock
    row = await _locked(session, provider.name)
    verdict = admit(_state(row), provider.rate, now)
    _write(row, verdict.state)
    return verdict


async def record_success(session: AsyncSession, name: str) -> None:
    """The provider took a mail; writes only if it had been in trouble."""
    row = await session.get(MailProvider, name)
    if row is not None and (row.failures or row.open_until is not None):
        row = await _locked(session, name)
        _write(row, after_success(_state(row)))


async def record_failure(session: AsyncSession, name: str, reason: str, now: datetime) -> ProviderState:
    """The provider was in error; returns what is known of it now."""

    row = await _change(session, name, lambda state: after_failure(state, now))
    # Every organization's administrator may read this, so it names nobody.
    row.last_error = _ADDRESS.sub("…", reason)[:300]
    row.last_error_at = now
    return _state(row)


async def record_hold(session: AsyncSession, name: str, seconds: float, now: datetime) -> None:
    """The provider asked us to wait."""
    await _change(session, name, lambda state: held(state, seconds, now))


async def statuses(session: AsyncSession, providers: Sequence[Provider]) -> list[ProviderStatus]:
    """How the configured providers stand, in their order."""
    names = [provider.name for provider in providers]
    found = (await session.scalars(select(MailProvider).where(MailProvider.name.in_(names)))).all()
    rows = {row.name: row for row in found}
    return [
        ProviderStatus(
            provider.name,
            provider.rate,
            _state(rows.get(provider.name)),
            rows[provider.name].last_error if provider.name in rows else None,
            rows[provider.name].last_error_at if provider.name in rows else None,
        )
        for provider in providers
    ]


async def _change(
    session: AsyncSession, name: str, change: Callable[[ProviderState], ProviderState]
) -> MailProvider:
    row = await _locked(session, name)
    _write(row, change(_state(row)))
    return row


async def _locked(session: AsyncSession, name: str) -> MailProvider:
    await session.execute(insert(MailProvider).values(name=name, failures=0).on_conflict_do_nothing())
    query = select(MailProvider).where(MailProvider.name == name).with_for_update()
    return (await session.scalars(query, execution_options={"populate_existing": True})).one()


def _state(row: MailProvider | None) -> ProviderState:
    if row is None:
        return ProviderState()
    return ProviderState(failures=row.failures, open_until=row.open_until, next_slot=row.next_slot)


def _write(row: MailProvider, state: ProviderState) -> None:
    row.failures, row.open_until, row.next_slot = state.failures, state.open_until, state.next_slot
