"""The real engine under a clock that the test moves: its scripts, its typed calls, a dump of its keys.

`toril.testing.clock` goes on with real time, from which it is only apart. Two sides whose times are to be
equal need one that stands still between its moves.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import msgspec
import valkey

from toril.storage import scripts
from toril.storage.address import Address
from toril.storage.channel import Argument, Head, Reply
from toril.storage.connection import Connection

T = TypeVar("T")

EARLY = 30_000
"""What lives no longer than this (ms) when the clock moves is gone. Times to live are whole minutes and
the small steps of the clock add up to seconds, so that real time passing makes no difference."""

_TIME = "local time = redis.call('TIME')\n  return time[1] * 1000 + math.floor(time[2] / 1000)"
_MOVED = "return tonumber(redis.call('GET', string.match(ARGV[1], '^[^:]*') .. '-clock'))"

_DUMP = """
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do
  local kind = redis.call('TYPE', key).ok
  local value
  if kind == 'string' then value = redis.call('GET', key)
  elseif kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  else
    value = redis.call('XRANGE', key, '-', '+')
    redis.call('XTRIM', key, 'MAXLEN', 0)
  end
  found[#found + 1] = { key, kind, redis.call('PTTL', key), value }
end
return found
"""

_ADVANCE = """
local delta, early = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('INCRBY', ARGV[1] .. '-clock', delta)
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do
  local ttl = redis.call('PTTL', key)
  if ttl >= 0 then
    if ttl - delta <= early then redis.call('DEL', key) else redis.call('PEXPIRE', key, ttl - delta) end
  end
end
"""


@contextlib.contextmanager
def moved_scripts() -> Iterator[None]:
    """Let all scripts read the time from the key `<prefix>-clock` while the block runs."""
    real_source, real_sha = scripts.source, scripts.sha
    texts: dict[str, str] = {}

    def source(name: str) -> str:
        if name not in texts:
            texts[name] = real_source(name).replace(_TIME, _MOVED)
            assert "'TIME'" not in texts[name], f"{name} reads the time in another way"
        return texts[name]

    shas: dict[str, str] = {}

    def sha(name: str) -> str:
        if name not in shas:
            shas[name] = hashlib.sha1(source(name).encode()).hexdigest()
        return shas[name]

    scripts.source, scripts.sha = source, sha  # type: ignore[assignment]
    try:
        yield
    finally:
        scripts.source, scripts.sha = real_source, real_sha


class MovedConnection(Connection):
    """A connection whose TIME is the moved clock, and which remembers what it has called."""

    now = 0

    def __init__(self, address: Address, *, name: str) -> None:
        super().__init__(address, name=name)
        self.called: list[tuple[Argument, ...]] = []

    async def call(self, *args: Argument, **how: Any) -> Reply:
        if args == ("TIME",):
            return [b"%d" % (self.now // 1000), b"%d" % (self.now % 1000 * 1000)]
        self.called.append(args)
        return await super().call(*args, **how)


class Real:
    """One server with one prefix a run of the machine; its clock is a key beside the queues."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.client = valkey.Valkey.from_url(url)
        self.dump_script = self.client.register_script(_DUMP)
        self.advance_script = self.client.register_script(_ADVANCE)
        self.connection = self.runner.run(self._connect(url))
        self.prefix = ""

    async def _connect(self, url: str) -> MovedConnection:
        return MovedConnection(Address.of(url), name="model")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        self.connection.called.clear()
        return self.runner.run(work)

    def asked(self, script: str) -> list[Any]:
        """What the last `run` has asked of a script, as its MessagePack argument said it."""
        sha = scripts.sha(script).encode()
        by_sha = [
            args for args in self.connection.called if isinstance(args[0], Head) and sha in args[0].wire
        ]
        return [msgspec.msgpack.decode(args[-1]) for args in by_sha if isinstance(args[-1], bytes)]

    def begin(self, prefix: str, now: int) -> None:
        """Start an example of its own."""
        self.prefix = prefix
        self.connection.now = now
        self.client.set(f"{prefix}-clock", now)

    def end(self) -> None:
        """Take away what the example has left."""
        self.client.delete(*self.client.keys(f"{self.prefix}*"))

    def advance(self, ms: int) -> None:
        self.connection.now += ms
        self.advance_script(args=[self.prefix, ms, EARLY])

    def dump(self) -> list[tuple[str, str, int, Any]]:
        """All keys of the example as (key, type, ms to live or -1, value), events since the last dump."""
        found = self.dump_script(args=[self.prefix])
        return [(key.decode(), kind.decode(), ttl, text(value)) for key, kind, ttl, value in found]

    def close(self) -> None:
        self.runner.run(self.connection.close())
        self.runner.close()
        self.client.close()


def text(value: Any) -> Any:
    """The same with texts instead of bytes."""
    if isinstance(value, bytes):
        return value.decode()
    return [text(each) for each in value] if isinstance(value, list) else value
