"""What the server alone could do: the commands of a run, replayed inside one script.

A run is recorded with MONITOR; then the same jobs are added to another server, and the commands that
the scripts of the run had called are called there again, with the same arguments and in the same order,
by a script that does nothing else. The time is the server's CPU time inside that loop.
"""

from __future__ import annotations

import asyncio
import re

import msgspec

import toril
from benchmarks.record import Measures

from .common import CHUNK, Runs, connect, drive, fill

CONCURRENCY = 50
REPLAY = """
local commands = cmsgpack.unpack(ARGV[1])
local call, unpack = redis.call, unpack
local begun = os.clock()
for i = 1, #commands do
  call(unpack(commands[i]))
end
return math.floor((os.clock() - begun) * 1e6)
"""
AT_ONCE = 2000
END = b"end-of-the-run"
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)")
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


def _unescaped(word: bytes) -> bytes:
    def put(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code[1:], 16)]) if len(code) == 3 else _PLAIN.get(code, code)

    return _ESCAPE.sub(put, word)


def commands_of_scripts(record: bytes) -> list[list[bytes]]:
    """The commands that scripts have called, of MONITOR's lines."""
    return [
        [_unescaped(word) for word in _WORD.findall(line)]
        for line in record.split(b"\r\n")
        if b" lua]" in line.partition(b'"')[0]
    ]


async def recorded(count: int) -> list[list[bytes]]:
    """Run `count` jobs; the commands of the run's scripts."""
    with toril.EmbeddedServer() as server:
        async with toril.Queue("limit", server.url) as queue:
            await fill(queue, count)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**30)
            writer.write(b"MONITOR\r\n")
            await reader.readline()
            await Runs(count).work(queue, CONCURRENCY)
            await queue.store.connection.call("ECHO", END)
            record = await reader.readuntil(END)
            writer.close()
            await writer.wait_closed()
    return commands_of_scripts(record)


async def replayed(commands: list[list[bytes]], count: int) -> float:
    """Seconds of the server's CPU for the commands alone."""
    micros = 0
    with toril.EmbeddedServer() as server:
        async with toril.Queue("limit", server.url) as queue:
            await fill(queue, count)
            connection = connect(server.url)
            try:
                for first in range(0, len(commands), AT_ONCE):
                    # As text, not as bytes: the server's unpacker knows the plain kind alone.
                    some = [
                        [word.decode("utf-8", "surrogateescape") for word in command]
                        for command in commands[first : first + AT_ONCE]
                    ]
                    micros += await connection.call("EVAL", REPLAY, 0, msgspec.msgpack.encode(some))
                assert (await queue.get_job_counts())["completed"] == count
            finally:
                await connection.close()
    return micros / 1e6


async def measure(quick: bool) -> Measures:
    """The limit in jobs a second, and the commands a job."""
    count = (20 if quick else 60) * CHUNK
    commands = await recorded(count)
    seconds = await replayed(commands, count)
    return {"limit": count / seconds, "commands": len(commands) / count}


if __name__ == "__main__":
    drive(measure)
