"""Who could run a job: the workers of its queue, as far as the server tells of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..storage.cards import WorkerCard
from ..storage.explaining import Facts


@dataclass(frozen=True, slots=True)
class Staff:
    """The workers of a queue.

    Attributes:
        cards: Those of toril's workers that have told in time that they live.
        complete: Whether each connected worker has a card; Node's have none.
        nobody: Whether no worker is connected, nor has told that it lives.
        names: Those of the connected ones that have a name; None where the server does not tell of them.
    """

    cards: tuple[WorkerCard, ...]
    complete: bool
    nobody: bool
    names: frozenset[str] | None

    @classmethod
    def of(cls, facts: Facts, connected: Sequence[str | None] | None) -> Staff:
        """Who is there, by the cards and by the names of connections (None for one without)."""
        alive = [card for dead_at, card in facts.cards if dead_at > facts.now_ms]
        cards = tuple(card for card in alive if card is not None)
        if connected is None:
            return cls(cards, complete=False, nobody=False, names=None)
        untold = Counter(connected) - Counter(card.name for card in cards)
        return cls(
            cards=cards,
            complete=not untold and None not in alive and facts.workers == len(facts.cards),
            nobody=not connected and not alive,
            names=frozenset(name for name in connected if name is not None),
        )

    def is_away(self, worker: str) -> bool:
        """Whether the worker of this name is known not to be connected."""
        return self.names is not None and worker not in self.names

    def knows(self, job_name: str) -> bool:
        """Whether a worker may be there that has a handler for this name."""
        return not self.complete or any(card.knows(job_name) for card in self.cards)

    def paused(self) -> bool:
        """Whether all workers are paused by `Worker.pause`."""
        return self.complete and bool(self.cards) and all(card.paused for card in self.cards)

    def slots(self, job_name: str) -> int | None:
        """How many jobs can run at once on workers that would take this one; None if that is not known."""
        if not self.complete:
            return None
        return sum(card.concurrency for card in self.cards if card.knows(job_name) and not card.paused)

    def own_limit(self) -> int | None:
        """The rate limit that all workers have as their own option; None if one has none."""
        limits = [card.limiter[0] if card.limiter else None for card in self.cards]
        known = [limit for limit in limits if limit is not None]
        return max(known) if known and len(known) == len(limits) and self.complete else None
