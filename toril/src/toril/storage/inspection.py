"""Typed calls before the scripts that look a queue over: its numbers, its history, a search in its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from . import scripts
from .bulk import STATES
from .cards import WorkerCard
from .channel import Reply
from .connection import Connection
from .jobs import Fields, pair
from .keys import Keys


class Surveyed(NamedTuple):
    """A queue at one instant, and what has happened shortly before it.

    Attributes:
        counts: Jobs by state.
        now_ms: The server's time.
        oldest_ms: Since when the first waiting job could have run; None if none waits.
        span_ms: Over how long the events counted have happened.
        cut: Whether there were more events than were looked at; `span_ms` is that of those.
        events: How many of each kind.
        waits_ms, runs_ms: How long some of the jobs that have ended waited and ran.
        completed, failed: How many in all, if the queue's workers count them.
    """

    counts: dict[str, int]
    paused: bool
    now_ms: int
    oldest_ms: int | None
    span_ms: int
    cut: bool
    events: dict[str, int]
    waits_ms: list[int]
    runs_ms: list[int]
    completed: int | None
    failed: int | None


class Scanned(NamedTuple):
    """Jobs that were found in a page, and how many were looked at."""

    looked: int
    found: list[tuple[str, Fields]]


class JobEvent(NamedTuple):
    """One event of one job; `at_ms` is the server's time."""

    at_ms: int
    fields: dict[str, str]


class InspectionStore:
    """The scripts of one queue for those who look at it."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    async def _run(self, script: str, *args: str | bytes | int) -> Reply:
        return await scripts.run(self._connection, script, self._keys.all, self._keys.base, *args)

    async def survey(self, since_ms: int | None, events: int, ended: int) -> Surveyed:
        """Look the queue over; see survey.lua."""
        reply = await self._run("survey", "" if since_ms is None else since_ms, events, ended)
        counts, paused, now, oldest, span, cut, kinds, waits, runs, completed, failed = reply
        return Surveyed(
            counts=dict(zip(STATES, counts, strict=True)),
            paused=bool(paused),
            now_ms=now,
            oldest_ms=None if oldest < 0 else oldest,
            span_ms=span,
            cut=bool(cut),
            events={kinds[i].decode("utf-8", "replace"): kinds[i + 1] for i in range(0, len(kinds), 2)},
            waits_ms=waits,
            runs_ms=runs,
            completed=None if completed is None else int(completed),
            failed=None if failed is None else int(failed),
        )

    async def scan(
        self, state: str, first: int, last: int, ascending: bool, texts: Sequence[str], fields: Sequence[str]
    ) -> Scanned:
        """Look through a page of jobs, by the name of their state's key; see scan_jobs.lua."""
        wanted = msgspec.msgpack.encode((texts, fields))
        looked, *flat = await self._run("scan_jobs", state, first, last, "1" if ascending else "0", wanted)
        return Scanned(
            looked,
            [(flat[i].decode("utf-8", "replace"), pair(flat[i + 1])) for i in range(0, len(flat), 2)],
        )

    async def events_of(self, job_id: str, calls: int, each: int) -> list[JobEvent]:
        """A job's events among the newest `calls * each` of the queue, the oldest first."""
        found: list[JobEvent] = []
        before = "+"
        for _ in range(calls):
            place, *entries = await self._run("find_events", job_id, before, each)
            for event_id, flat in entries:
                fields = pair(flat)
                texts = {
                    name.decode("utf-8", "replace"): value.decode("utf-8", "replace")
                    for name, value in fields.items()
                }
                found.append(JobEvent(int(event_id.partition(b"-")[0]), texts))
            before = place.decode()
            if not before:
                break
        return found[::-1]

    async def keep_history(self, minute_ms: int, point: bytes, keep: int, forget_ms: int) -> bool:
        """Write down a minute; returns whether this call did so."""
        return bool(await self._run("keep_history", minute_ms, point, keep, forget_ms))

    async def history(self, since_ms: int) -> list[tuple[int, bytes]]:
        """Read the minutes since a time: ms of each one's begin and what was written down."""
        entries = await self._connection.call("XRANGE", self._keys.history, since_ms, "+")
        return [(int(entry_id.partition(b"-")[0]), flat[1]) for entry_id, flat in entries]

    async def cards(self) -> list[WorkerCard]:
        """What toril's workers tell of themselves; of those that are gone too, for a while."""
        found = pair(await self._connection.call("HGETALL", self._keys.cards))
        cards = [WorkerCard.decode(raw) for raw in found.values()]
        return [card for card in cards if card is not None]

    async def log_length(self, job_id: str) -> int:
        """How many lines a job's log has."""
        return int(await self._connection.call("LLEN", self._keys.logs(job_id)))

    async def signs_of(self, job_id: str) -> str:
        """What changes when a job does, beside its state: its runs, progress, end, and log."""
        key = self._keys.job(job_id)
        found = await self._connection.call("HMGET", key, "atm", "ats", "progress", "finishedOn", "priority")
        texts = ["" if each is None else each[:200].decode("utf-8", "replace") for each in found]
        return " ".join((*texts, str(await self.log_length(job_id))))
