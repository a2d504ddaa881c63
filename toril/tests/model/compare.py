"""The model's states and the server's keys in one shape, and where they differ."""

from __future__ import annotations

import json
from typing import Any

from toril.storage.keys import Keys

from .state import Expiring, Queue

Shape = dict[str, Any]
"""Key -> value, as `real_shape` and `model_shape` make it; the time to live of one is at `key (ttl)`."""

TTL_SLACK = 30_000
"""How much (ms) a time to live may differ, beside what real time has taken of it."""


def real_shape(dump: list[tuple[str, str, int, Any]]) -> tuple[Shape, dict[str, list[dict[str, str]]], Shape]:
    """Returns the keys, the events by the key of their stream, and the markers by their keys."""
    shape: Shape = {}
    events: dict[str, list[dict[str, str]]] = {}
    markers: Shape = {}
    for key, kind, ttl, value in dump:
        if kind == "zset" and key.endswith(":marker"):
            markers[key] = scores(value)
        elif kind == "stream":
            shape[key] = "a stream"
            events[key] = [paired(entry[1]) for entry in value]
        else:
            shape[key] = readable(kind, value)
            if ttl >= 0:
                shape[f"{key} (ttl)"] = ttl
    return shape, events, markers


def readable(kind: str, value: Any) -> Any:
    if kind == "hash":
        return plain(paired(value))
    if kind == "zset":
        return scores(value)
    return set(value) if kind == "set" else value


def paired(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def scores(flat: list[str]) -> dict[str, int]:
    return {member: int(float(score)) for member, score in paired(flat).items()}


def plain(fields: dict[str, str]) -> dict[str, Any]:
    """A hash with its JSON objects read: Lua writes their keys in any order."""
    return {name: json.loads(value) if value.startswith("{") else value for name, value in fields.items()}


def model_shape(queues: list[Queue], prefix: str, now: int) -> Shape:
    shape: Shape = {}
    for queue in queues:
        shape.update(queue_shape(queue, prefix, now))
    return {key: value for key, value in shape.items() if value not in ({}, [], set())}


def queue_shape(queue: Queue, prefix: str, now: int) -> Shape:
    keys = Keys(queue.base[len(prefix) + 1 : -1], prefix)
    shape: Shape = {
        keys.wait: queue.wait,
        keys.active: queue.active,
        keys.prioritized: queue.prioritized,
        keys.delayed: queue.delayed,
        keys.waiting_children: queue.waiting_children,
        keys.completed: queue.completed,
        keys.failed: queue.failed,
        keys.stalled: queue.stalled,
        keys.meta: queue.meta,
        keys.repeat: {name: each.next_run for name, each in queue.schedulers.items()},
    }
    if queue.counter:
        shape[keys.id] = str(queue.counter)
    if queue.added_by_priority:
        shape[keys.pc] = str(queue.added_by_priority)
    if queue.has_events:
        shape[keys.events] = "a stream"
    if queue.has_cancels:
        shape[keys.cancels] = "a stream"
    shape[keys.retention] = queue.retention
    for target, metrics in queue.metrics.items():
        if metrics.since is not None:
            counted = {"count": metrics.count, "prevTS": metrics.since, "prevCount": metrics.count_then}
            shape[f"{queue.base}metrics:{target}"] = {name: str(value) for name, value in counted.items()}
            shape[f"{queue.base}metrics:{target}:data"] = [str(count) for count in metrics.minutes]
    for name, each in queue.schedulers.items():
        shape[keys.scheduler(name)] = plain(each.fields)
    for job_id, job in queue.jobs.items():
        key = keys.job(job_id)
        shape[key] = plain(job.fields)
        shape[keys.logs(job_id)] = job.logs
        shape[keys.dependencies(job_id)] = job.pending
        shape[f"{key}:processed"] = plain(job.processed)
        shape[f"{key}:failed"] = job.ignored
        shape[f"{key}:unsuccessful"] = job.unsuccessful
    shape.update({f"{queue.base}dn:{name}": plain(each) for name, each in queue.followers.items()})
    shape[f"{queue.base}toril:schedules"] = queue.owners
    shape[f"{queue.base}toril:schedules:releases"] = queue.releases
    expiring = {keys.limiter: queue.limiter, keys.stalled_check: queue.stalled_check}
    expiring[f"{queue.base}toril:schedulers-check"] = queue.schedulers_check
    expiring |= {f"{keys.job(job_id)}:lock": each for job_id, each in queue.locks.items()}
    expiring |= {f"{queue.base}de:{name}": each for name, each in queue.deduplication.items()}
    for key, held in expiring.items():
        shape.update(expiring_shape(key, held, now))
    return shape


def expiring_shape(key: str, held: Expiring | None, now: int) -> Shape:
    if held is None:
        return {}
    ttl = {} if held.expires is None else {f"{key} (ttl)": held.expires - now}
    return {key: held.value, **ttl}


def differences(model: Shape, real: Shape, elapsed: float) -> list[str]:
    """What the model and the server disagree on, a line a key.

    Times to live follow real time, of which `elapsed` ms have gone by; the model's do not.
    """
    told = []
    for key in sorted(model.keys() | real.keys()):
        expected, found = model.get(key), real.get(key)
        is_ttl = key.endswith(" (ttl)") and None not in (expected, found)
        if is_ttl and -TTL_SLACK < expected - found < elapsed + TTL_SLACK:
            continue
        if expected != found:
            told.append(f"{key}: the model has {expected!r}, the server {found!r}")
    return told
