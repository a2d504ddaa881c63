"""FlowProducer: jobs that wait for other jobs, added at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, Unpack

from .codec import FlowArguments, flow_arguments
from .errors import InvalidOption
from .hooks import Telemetry, overriding, sending
from .job import JobKeywords, JobOptions, Json, NewJob
from .options import whole
from .queue import Queue
from .queue.producing import refusal
from .record import Job
from .storage.address import server_url
from .storage.flows import Refused, add_flow
from .storage.keys import Keys

MAX_JOBS = 10_000
"""How many jobs one call may add: it holds the server, for about 25 microseconds a job."""


class FlowJob:
    """A job that is about to be added, with the jobs that it waits for.

    `FlowJob("ship", "orders", {...}, children=[FlowJob("pack", "depot", {...})], priority=1)`

    Attributes:
        new: The job itself.
        queue: The name of its queue.
        children: The jobs that it waits for; they may have children in turn.
        prefix: What its queue's keys begin with; the producer's if None.

    Raises:
        InvalidOption: the name or an option is wrong, or it has a parent or children together with
            a deduplication.
    """

    __slots__ = ("children", "new", "prefix", "queue")

    def __init__(
        self,
        name: str,
        queue: str,
        data: Json = None,
        *,
        children: Sequence[FlowJob] = (),
        prefix: str | None = None,
        **options: Unpack[JobKeywords],
    ) -> None:
        self.new = NewJob(name, data, **options)
        self.queue = queue
        self.children = tuple(children)
        self.prefix = prefix
        _no_deduplication(self.new.options)

    @classmethod
    def of(cls, queue: str, new: NewJob, children: Sequence[FlowJob] = ()) -> FlowJob:
        """Make one of a declared job: `FlowJob.of(ship.queue, ship.new_job(order_id=1), [...])`."""
        made = cls(new.name, queue, new.data, children=children)
        _no_deduplication(new.options)
        made.new = new
        return made


@dataclass(frozen=True, slots=True)
class FlowNode:
    """A job of a flow with its children, as they were added or read."""

    job: Job
    children: list[FlowNode] = field(default_factory=list)


class FlowProducer:
    """Adds and reads flows, whose jobs may be of any queues on one server.

    Args:
        url: The server; by default the environment's TORIL_URL, else the local one.
        prefix: What the keys of queues begin with.
        defaults: By the queue's name, options of its jobs in flows where they say nothing else.
        telemetry: Follows the flows that this object adds.

    On Cluster the queues of one flow must share a hash tag, as with the prefix `{bull}`.

    Raises:
        InvalidOption: the URL or an option is wrong, or the defaults have an id, a parent or a deduplication.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        prefix: str = "bull",
        defaults: Mapping[str, JobKeywords] | None = None,
        telemetry: Sequence[Telemetry] = (),
    ) -> None:
        self._senders = overriding(telemetry, "sending")
        self.url = server_url(url)
        self.prefix = prefix
        self._defaults = dict(defaults or {})
        for options in self._defaults.values():
            checked = JobOptions.of(**options)
            _no_deduplication(checked)
            if checked.job_id is not None or checked.parent is not None:
                raise InvalidOption("defaults of a flow's jobs cannot have a job_id or a parent")
        self._queues: dict[tuple[str, str], Queue] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close. May be called more than once."""
        for queue in self._queues.values():
            await queue.close()
        self._queues.clear()

    async def add(self, flow: FlowJob) -> FlowNode:
        """Add a job with all that it waits for, in one atomic call.

        A job whose own id stands already becomes the child that the flow wants; if it has completed,
        its result counts. The same flow with own ids may therefore be added again.

        Raises:
            InvalidOption: the flow has more than `MAX_JOBS` jobs, or the same id twice.
            InvalidPayload: a job's data cannot be written as JSON.
            ParentMissing: the parent that the root names is not there.
            ParentTaken: a job of that id is another parent's child.
        """
        return (await self.add_many([flow]))[0]

    async def add_many(self, flows: Sequence[FlowJob]) -> list[FlowNode]:
        """Add many flows, all of them or none; see `add`."""
        if not flows:
            return []
        jobs, places = _flat(flows)
        news = [self._queue(job).with_defaults(job.new) for job in jobs]
        with sending(self._senders, jobs[0].queue, news) as sent:
            nodes = await self._add(jobs, sent.jobs, places)
            sent.added([node.job for node in nodes])
        for node, place in zip(nodes, places, strict=True):
            if place:
                nodes[place - 1].children.append(node)
        return [node for node, place in zip(nodes, places, strict=True) if not place]

    async def _add(
        self, jobs: Sequence[FlowJob], news: Sequence[NewJob], places: Sequence[int]
    ) -> list[FlowNode]:
        arguments = [self._arguments(*each) for each in zip(jobs, news, places, strict=True)]
        root = self._queue(jobs[0])
        for base, *_ in arguments:
            root.store.connection.address.check_shares_slot(base)
        try:
            added, now = await add_flow(root.store.connection, root.store.keys, arguments)
        except Refused as refused:
            raise refusal(refused, jobs[refused.place].new) from None
        return [
            FlowNode(self._queue(job).made(new, result, now))
            for job, new, result in zip(jobs, news, added, strict=True)
        ]

    async def get(
        self, queue: str, job_id: str, *, depth: int = 10, max_children: int = 20, prefix: str | None = None
    ) -> FlowNode | None:
        """Read a job with its children, or None if there is none of this id.

        Args:
            queue, job_id: The root.
            depth: How many generations are read, the root's included.
            max_children: How many children of each kind are read of each job.
            prefix: What the keys of its queue begin with, if it is not the producer's.
        """
        whole(depth, "depth", 1, MAX_JOBS)
        source = self._queue_named(queue, prefix)
        job = await source.get_job(job_id)
        if job is None:
            return None
        root = FlowNode(job)
        generation = [root]
        for _ in range(depth - 1):
            await asyncio.gather(*(self._read_children(node, max_children) for node in generation))
            generation = [child for node in generation for child in node.children]
        return root

    async def _read_children(self, node: FlowNode, limit: int) -> None:
        found = await node.job.get_dependencies(limit=limit)
        refs = (*found.processed, *found.pending, *found.ignored, *found.failed)
        jobs = await asyncio.gather(
            *(self._queue_named(ref.queue, ref.prefix).get_job(ref.id) for ref in refs)
        )
        node.children.extend(FlowNode(job) for job in jobs if job is not None)

    def _arguments(self, job: FlowJob, new: NewJob, place: int) -> FlowArguments:
        if place and new.options.parent is not None:
            raise InvalidOption(f"job {new.name!r} has a parent in the flow and names another one")
        base = Keys(job.queue, job.prefix or self.prefix).base
        return flow_arguments(base, new, place, bool(job.children))

    def _queue(self, job: FlowJob) -> Queue:
        return self._queue_named(job.queue, job.prefix)

    def _queue_named(self, name: str, prefix: str | None) -> Queue:
        key = (name, prefix or self.prefix)
        if key not in self._queues:
            self._queues[key] = Queue(name, self.url, prefix=key[1], defaults=self._defaults.get(name))
        return self._queues[key]


def _no_deduplication(options: JobOptions) -> None:
    if options.deduplication is not None:
        raise InvalidOption("a job of a flow cannot have a deduplication; give it a job_id")


def _flat(flows: Sequence[FlowJob]) -> tuple[list[FlowJob], list[int]]:
    """Return all jobs, parents before children, and each one's parent's place from 1 (0: none)."""
    jobs: list[FlowJob] = []
    places: list[int] = []
    ids: set[tuple[str | None, str, str]] = set()
    stack = [(flow, 0) for flow in reversed(flows)]
    while stack:
        job, parent = stack.pop()
        jobs.append(job)
        places.append(parent)
        if len(jobs) > MAX_JOBS:
            raise InvalidOption(f"a flow may have at most {MAX_JOBS} jobs")
        own = job.new.options.job_id
        if own is not None:
            if (job.prefix, job.queue, own) in ids:
                raise InvalidOption(f"job id {own!r} is twice in the flow, in queue {job.queue!r}")
            ids.add((job.prefix, job.queue, own))
        place = len(jobs)
        stack.extend((child, place) for child in reversed(job.children))
    return jobs, places
