"""All that a server holds of a queue, in a form that two queues can be compared by."""

from __future__ import annotations

import json
import re
from typing import Any

import toril

# A marker's may have a fraction: which of a millisecond's delayed jobs is due next.
_INSTANT = re.compile(r"(?<![\w.])\d{13}(?:\.\d+)?(?![\w.])")
_JSON = {"opts", "data", "parent", "returnvalue", "stacktrace", "progress"}


def _text(raw: bytes, queue: str) -> str:
    return _INSTANT.sub("INSTANT", raw.decode().replace(queue, "QUEUE"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return _INSTANT.sub("INSTANT", value)
    return "INSTANT" if isinstance(value, int) and len(str(value)) == 13 else value


def _field(name: str, raw: bytes, queue: str) -> Any:
    text = _text(raw, queue)
    if name == "stacktrace":
        return f"{len(json.loads(raw))} traces"
    if name in _JSON:
        try:
            return _plain(json.loads(raw.decode().replace(queue, "QUEUE")))
        except ValueError:
            return text
    return text


def _pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _hash(flat: list[bytes], queue: str) -> dict[str, Any]:
    fields = {_text(name, queue): value for name, value in _pairs(flat)}
    return {name: _field(name, value, queue) for name, value in sorted(fields.items())}


async def stored(queue: toril.Queue) -> dict[str, Any]:
    """Read all keys of a queue, with its name and all instants replaced."""
    call, base, cursor, keys = queue.store.connection.call, f"bull:{queue.name}:", b"0", set[bytes]()
    while True:
        cursor, some = await call("SCAN", cursor, "MATCH", f"{base}*", "COUNT", 1000)
        keys |= set(some)
        if cursor == b"0":
            break
    found: dict[str, Any] = {}
    for key in sorted(keys):
        name, kind = _INSTANT.sub("INSTANT", key.decode().removeprefix(base)), await call("TYPE", key)
        if kind == b"hash":
            found[name] = _hash(await call("HGETALL", key), queue.name)
        elif kind == b"list":
            found[name] = [_text(each, queue.name) for each in await call("LRANGE", key, 0, -1)]
        elif kind == b"set":
            found[name] = sorted(_text(each, queue.name) for each in await call("SMEMBERS", key))
        elif kind == b"zset":
            members = _pairs(await call("ZRANGE", key, 0, -1, "WITHSCORES"))
            exact = name in {"prioritized", "marker"}
            found[name] = [
                (_text(member, queue.name), _text(score, queue.name) if exact else None)
                for member, score in members
            ]
        elif kind == b"stream":
            entries = await call("XRANGE", key, "-", "+")
            found[name] = [_hash(flat, queue.name) for _, flat in entries]
        else:
            found[name] = _text(await call("GET", key), queue.name)
    return found
