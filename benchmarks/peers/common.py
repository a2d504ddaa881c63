"""What the sides in Python share: the order, the payload, and what is read off the server."""

from __future__ import annotations

import json
import resource
import socket
import sys
import time
from typing import Any, NamedTuple

TEXT = "a payload of about a hundred bytes, as an id and a short text make it"
KEEP_SECONDS = 3600
"""How long every side keeps finished jobs and their results."""
RESULT = "done"
CONNECTIONS = 1000
"""Connections of a pool at the most: the clients' default of 100 fails a worker of 200."""
SLEEP = 0.01
TOGETHER = 100
"""How many adds are under way at once in the kind `gather`."""

Payload = dict[str, Any]


class Order(NamedTuple):
    """What this process is to do."""

    address: str
    queue: str
    kind: str
    jobs: int
    concurrency: int

    @property
    def port(self) -> int:
        """The Valkey's port."""
        return int(self.address)

    @property
    def url(self) -> str:
        """The Valkey's URL as Redis clients want it."""
        return f"redis://127.0.0.1:{self.address}/0"

    @property
    def rate(self) -> float:
        """Jobs a second of the kind `feed`."""
        return float(self.kind.partition("@")[2])


def order() -> Order:
    """The order in this process's arguments."""
    address, queue, kind, count, concurrency = sys.argv[1:6]
    return Order(address, queue, kind, int(count), int(concurrency))


def payload(number: int, due: int = 0) -> Payload:
    """A job's data; `due` is when it should have been added, in µs of the wall clock."""
    return {"i": number, "due": due, "text": TEXT}


def report(**values: float) -> None:
    """Print the one line."""
    print(json.dumps(values), flush=True)


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def server_info(address: str) -> dict[str, float]:
    """The numbers of INFO's sections cpu, stats and memory; of a Valkey only."""
    if not address.isdecimal():
        return {}
    with socket.create_connection(("127.0.0.1", int(address))) as connection:
        connection.sendall(b"INFO cpu stats memory\r\n")
        with connection.makefile("rb") as reader:
            text = reader.read(int(reader.readline()[1:])).decode()
    pairs = (line.split(":") for line in text.splitlines() if ":" in line)
    return {name: float(value) for name, value in pairs if value.replace(".", "", 1).isdigit()}


def server_cpu(info: dict[str, float]) -> float:
    """Seconds of CPU that the server has used."""
    return info.get("used_cpu_sys", 0.0) + info.get("used_cpu_user", 0.0)


def report_adds(given: Order, begun: float, cpu: float, before: dict[str, float], left: int) -> None:
    """Print what adding has taken since `begun`; the probe is one of those left."""
    seconds, used = time.perf_counter() - begun, cpu_seconds() - cpu
    after = server_info(given.address)
    server: dict[str, float] = {}
    if after:
        server["server_us"] = (server_cpu(after) - server_cpu(before)) * 1e6 / given.jobs
        server["bytes"] = (after["used_memory"] - before["used_memory"]) / given.jobs
    report(seconds=seconds, left=left, client_us=used * 1e6 / given.jobs, **server)
