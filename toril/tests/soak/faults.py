"""The faults: each takes a moment, or lasts for a while and then ends by itself or by `heal`."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable

from deployment.proxy import Proxy

import toril

from .fleet import Fleet


class Faults:
    """Throws faults in an order that the seed tells.

    Attributes:
        counts: How often each was thrown.
    """

    def __init__(
        self, server: toril.EmbeddedServer, proxy: Proxy, fleet: Fleet, queue: toril.Queue, rng: random.Random
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._fleet = fleet
        self._queue = queue
        self._rng = rng
        self.counts: Counter[str] = Counter()
        self._kinds: dict[Callable[[], Awaitable[None]], int] = {
            self.kill_worker: 4,
            self.freeze_worker: 3,
            self.stop_worker: 3,
            self.kill_server: 2,
            self.flush_scripts: 2,
            self.kill_clients: 2,
            self.pause_clients: 2,
            self.fill_memory: 2,
            self.cut: 3,
            self.lose_replies: 3,
            self.black_hole: 1,
            self.delay: 2,
            self.lose_packets: 2,
        }

    async def run(self, seconds: float) -> None:
        """Throw faults for a while, at most one at a time of those that last."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        deck: list[Callable[[], Awaitable[None]]] = []
        while loop.time() < end:
            if not deck:  # dealt as cards, so that each has come before any comes more often than told
                deck = [kind for kind, share in self._kinds.items() for _ in range(share)]
                self._rng.shuffle(deck)
            fault = deck.pop()
            self.counts[fault.__name__] += 1
            with contextlib.suppress(toril.ConnectionFailed, toril.ServerRefused):
                await fault()
            self._fleet.tend()
            await asyncio.sleep(self._rng.uniform(0.2, 2.0))

    async def heal(self) -> None:
        """End all faults."""
        self._proxy.silent, self._proxy.delay, self._proxy.loss = False, 0.0, 0.0
        await asyncio.to_thread(self._server.restart)
        await self._ask("CONFIG", "SET", "maxmemory", 0)
        await self._ask("CLIENT", "UNPAUSE")
        self._fleet.go_on()
        self._fleet.tend()

    async def _ask(self, *words: str | int) -> object:
        return await self._queue.store.connection.call(*words)

    async def kill_worker(self) -> None:
        self._fleet.end(self._rng.choice(self._fleet.members), signal.SIGKILL)

    async def stop_worker(self) -> None:
        self._fleet.end(self._rng.choice(self._fleet.members), signal.SIGTERM)

    async def freeze_worker(self) -> None:
        """For less than its lock, or for longer."""
        member = self._rng.choice(self._fleet.members)
        member.send(signal.SIGSTOP)
        await asyncio.sleep(self._rng.choice((0.5, 3.5)))
        member.send(signal.SIGCONT)

    async def kill_server(self) -> None:
        await asyncio.to_thread(self._server.kill)
        await asyncio.sleep(self._rng.uniform(0.0, 1.5))
        await asyncio.to_thread(self._server.restart)

    async def flush_scripts(self) -> None:
        await self._ask("SCRIPT", "FLUSH")

    async def kill_clients(self) -> None:
        await self._ask("CLIENT", "KILL", "TYPE", self._rng.choice(("normal", "pubsub")), "SKIPME", "yes")

    async def pause_clients(self) -> None:
        kind = self._rng.choice(("ALL", "WRITE"))
        await self._ask("CLIENT", "PAUSE", self._rng.randrange(300, 2500), kind)

    async def fill_memory(self) -> None:
        await self._ask("CONFIG", "SET", "maxmemory", 1)
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))
        await self._ask("CONFIG", "SET", "maxmemory", 0)

    async def cut(self) -> None:
        self._proxy.cut(self._rng.choice(("", "bull", "toril")))

    async def lose_replies(self) -> None:
        """Commands are carried out, their answers are swallowed, and then the connections break."""
        self._proxy.deafen()
        await asyncio.sleep(self._rng.uniform(0.01, 0.3))
        self._proxy.cut()

    async def black_hole(self) -> None:
        """Nothing comes through either way; then connections break, or half of the time stay half open."""
        self._proxy.silence()
        self._proxy.silent = True
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))
        self._proxy.silent = False
        if self._rng.random() < 0.5:
            self._proxy.cut()

    async def delay(self) -> None:
        self._proxy.delay = self._rng.uniform(0.02, 0.2)
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))
        self._proxy.delay = 0.0

    async def lose_packets(self) -> None:
        self._proxy.loss = 0.2
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))
        self._proxy.loss = 0.0
