"""A TCP proxy that delays: `python -m benchmarks.proxy TARGET_PORT SECONDS_EACH_WAY` prints its port.

Threads, not a loop: a thread's sleep is good for tens of microseconds, a loop's timer for a millisecond.
Ends when stdin is closed.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import sys
import threading
import time

CHUNK = 1 << 18

Packet = tuple[float, bytes]


def pipe(source: socket.socket, target: socket.socket, delay: float) -> None:
    """Forward one direction: what has come is sent on `delay` seconds later, in order."""
    packets: queue.SimpleQueue[Packet] = queue.SimpleQueue()
    threading.Thread(target=send, args=(packets, target), daemon=True).start()
    data = b"-"
    while data:
        try:
            data = source.recv(CHUNK)
        except OSError:
            data = b""
        packets.put((time.monotonic() + delay, data))


def send(packets: queue.SimpleQueue[Packet], target: socket.socket) -> None:
    """Send each packet when it is time; the empty one closes."""
    while True:
        due, data = packets.get()
        ahead = due - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        with contextlib.suppress(OSError):
            if data:
                target.sendall(data)
                continue
            target.shutdown(socket.SHUT_WR)
        return


def serve(target: int, delay: float) -> None:
    """Accept for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            client, _ = server.accept()
            there = socket.create_connection(("127.0.0.1", target))
            for end in (client, there):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for ends in ((client, there), (there, client)):
                threading.Thread(target=pipe, args=(*ends, delay), daemon=True).start()


if __name__ == "__main__":
    threading.Thread(target=serve, args=(int(sys.argv[1]), float(sys.argv[2])), daemon=True).start()
    sys.stdin.read()
