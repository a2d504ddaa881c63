"""What a server is asked before it is trusted with jobs, and what its answers mean."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from ..errors import ServerRefused
from .address import Address
from .connection import Connection, inquire
from .endpoint import Kind
from .routes import Routes

logger = logging.getLogger("toril")

Level = Literal["ok", "warning", "error"]

OLDEST = (6, 2)
"""The oldest Redis that the scripts run on; any Valkey is newer."""
CLOCK_LIMIT = 5.0
"""Seconds that our clock and the server's may differ before it is told."""
MEMORY_SHARE = 0.8
"""How full the server's memory may be before it is told."""
LISTPACK_VALUE = 64
"""Bytes, the servers' default: a hash with a longer field, or more fields, is kept with more memory."""
LISTPACK_GOOD = 1024
"""Bytes that the data of most jobs has at the most."""
LISTPACK_ENTRIES = 32
"""More fields than a job's hash has."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        server: `host:port`, or what else names it.
        check: What was looked at.
        level: `ok`, `warning` (works, and may hurt) or `error` (jobs may be lost, or nothing works).
        text: What was found, and what to do.
    """

    server: str
    check: str
    level: Level
    text: str


class Answers(NamedTuple):
    """What one server has said.

    Attributes:
        info: Its INFO.
        config: Its configuration; None where it may not be read, as with managed services.
        skew: Seconds that its clock is before ours (negative: behind).
        script: The error with which it refused a script, if it did.
    """

    info: Mapping[str, str]
    config: Mapping[str, str] | None
    skew: float
    script: str | None = None


def findings(server: str, answers: Answers) -> list[Finding]:
    """Judge one server's answers."""
    checks = {
        "version": _version(answers.info),
        "scripts": _scripts(answers.script),
        "role": _role(answers.info),
        "eviction": _eviction(answers.info),
        "memory": _memory(answers.info),
        "persistence": _persistence(answers),
        "clock": _clock(answers.skew),
        "encoding": _encoding(answers.config),
    }
    return [Finding(server, check, level, text) for check, (level, text) in checks.items()]


def eviction_warning(policy: str) -> str | None:
    """Say what is wrong with a `maxmemory-policy`; None if nothing is."""
    if policy in ("noeviction", ""):
        return None
    return (
        f"maxmemory-policy is {policy}: when memory is short the server throws jobs away; "
        "set it to noeviction"
    )


_Judged = tuple[Level, str]


def _version(info: Mapping[str, str]) -> _Judged:
    valkey = info.get("valkey_version")
    if valkey is not None:
        return "ok", f"Valkey {valkey}"
    text = info.get("redis_version", "unknown")
    parts = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    if parts < OLDEST:
        return "error", f"Redis {text} is too old: 6.2 or newer is needed"
    return "ok", f"Redis {text}"


def _scripts(refusal: str | None) -> _Judged:
    if refusal is None:
        return "ok", "Lua scripts run, with cjson and cmsgpack"
    return "error", f"the server runs no scripts for this user: {refusal}"


def _role(info: Mapping[str, str]) -> _Judged:
    role = info.get("role", "")
    if role == "slave":
        return "error", "the server is a replica, which takes no writes; name the master, or its Sentinels"
    return "ok", "the server takes writes"


def _eviction(info: Mapping[str, str]) -> _Judged:
    policy = info.get("maxmemory_policy", "")
    warning = eviction_warning(policy)
    return ("ok", "no job is evicted (noeviction)") if warning is None else ("error", warning)


def _memory(info: Mapping[str, str]) -> _Judged:
    limit, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if not limit:
        return "ok", f"{used / 2**20:.0f} MiB are used, without a limit (maxmemory 0)"
    text = f"{used / 2**20:.0f} of {limit / 2**20:.0f} MiB are used"
    if used > MEMORY_SHARE * limit:
        return "warning", f"{text}: adds are refused when no memory is left"
    return "ok", text


def _persistence(answers: Answers) -> _Judged:
    if answers.info.get("aof_enabled") == "1":
        config = answers.config or {}
        if config.get("appendfsync") == "no":
            return "warning", "append-only file without fsync: a crash of the machine loses what is unwritten"
        return "ok", f"append-only file, fsync {config.get('appendfsync', 'unknown')}"
    if answers.config is None:
        return "warning", "no append-only file; whether snapshots are taken may not be read"
    if answers.config.get("save"):
        return "warning", "snapshots alone: a crash loses all jobs since the last one; set appendonly yes"
    return "warning", "no persistence: a restart loses all jobs; set appendonly yes"


def _clock(skew: float) -> _Judged:
    if abs(skew) > CLOCK_LIMIT:
        way = "before" if skew > 0 else "behind"
        return (
            "warning",
            f"the server's clock is {abs(skew):.0f} s {way} ours: delays and schedules follow it",
        )
    return "ok", "the server's clock agrees with ours"


def _encoding(config: Mapping[str, str] | None) -> _Judged:
    if config is None:
        return "ok", "the configuration may not be read"
    entries = config.get("hash-max-listpack-entries") or config.get("hash-max-ziplist-entries") or "0"
    value = config.get("hash-max-listpack-value") or config.get("hash-max-ziplist-value") or "0"
    if int(entries) < LISTPACK_ENTRIES or int(value) < LISTPACK_VALUE:
        return (
            "warning",
            f"hashes are kept small with up to {entries} fields of {value} bytes; jobs have more: let it be "
            f"{LISTPACK_ENTRIES} or more of {LISTPACK_VALUE} or more (hash-max-listpack-entries, -value)",
        )
    if int(value) < LISTPACK_GOOD:
        return (
            "ok",
            f"jobs whose data has more than {value} bytes take more memory while they wait than they need; "
            f"hash-max-listpack-value {LISTPACK_GOOD} keeps them small",
        )
    return "ok", f"jobs with data of up to {value} bytes are kept small (hash-max-listpack-value)"


async def examine(url: str) -> list[Finding]:
    """Look at a server; on Cluster, at all its masters; with Sentinel at the master of the moment.

    Raises:
        ConnectionFailed: a server cannot be reached.
        ServerRefused: it does not let us in.
        InvalidOption: the URL is wrong.
    """
    address = Address.of(url)
    if address.kind is not Kind.CLUSTER:
        return await _examine_one(address, str(address))
    routes = Routes(address)
    found = []
    for master in await inquire(routes, routes.masters()):
        one = replace(address, kind=Kind.SERVER, endpoints=(master,))
        found += await _examine_one(one, str(master))
    return found


async def _examine_one(address: Address, name: str) -> list[Finding]:
    connection = Connection(address)
    try:
        return findings(name, await _ask(connection))
    finally:
        await connection.close()


async def _ask(connection: Connection) -> Answers:
    info = await _read_info(connection)
    try:
        flat = await connection.call("CONFIG", "GET", "*")
        config = {
            name.decode(): value.decode("utf-8", "replace")
            for name, value in zip(flat[::2], flat[1::2], strict=True)
        }
    except ServerRefused:
        config = None
    before = time.time()
    whole, micros = await connection.call("TIME")
    ours = (before + time.time()) / 2
    refusal = None
    try:
        await connection.call("EVAL", "return cmsgpack.unpack(cmsgpack.pack(cjson.decode('1')))", 0)
    except ServerRefused as error:
        refusal = str(error)
    return Answers(info, config, int(whole) + int(micros) / 1e6 - ours, refusal)


async def warn_of_eviction(connection: Connection) -> None:
    """Warn in the log if the server throws jobs away when its memory is short."""
    try:
        policy = (await _read_info(connection, "memory")).get("maxmemory_policy", "")
    except ServerRefused as error:
        logger.info("the server's maxmemory-policy may not be read: %s", error)
        return
    if warning := eviction_warning(policy):
        logger.warning("%s: %s", connection.address, warning)


async def _read_info(connection: Connection, *sections: str) -> dict[str, str]:
    """Read a server's INFO."""
    text = await connection.call("INFO", *sections)
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)
