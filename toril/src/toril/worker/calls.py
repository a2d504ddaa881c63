"""The calls of a worker that are under way."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from ..errors import ConnectionFailed, ServerRefused
from ..storage.channel import Reply
from ..storage.work import Committed, Settlement, WorkStore, committed_by


class Owner(Protocol):
    """Who is told of the answers."""

    def answered(self, call: Call, done: Committed) -> None:
        """A call was carried out."""

    def failed(self, call: Call, error: ConnectionFailed | ServerRefused) -> None:
        """It was not, or nobody knows."""

    def settle(self, settlement: Settlement) -> None:
        """An outcome is to be sent with another call."""

    def give_up(self, error: BaseException) -> None:
        """Something is wrong that no other call would mend."""


class Call:
    """One call: what it settles, how many it fetches, and how long it takes; its answer is put in here.

    Attributes:
        batch: The outcomes that it settles.
        wanted: How many jobs it fetches.
        token: What these are locked with.
        begun: When it was made, by `time.monotonic`.
    """

    __slots__ = ("_calls", "batch", "begun", "token", "wanted")

    def __init__(self, calls: Calls, batch: list[Settlement], wanted: int, token: str) -> None:
        self._calls = calls
        self.batch = batch
        self.wanted = wanted
        self.token = token
        self.begun = time.monotonic()

    @property
    def size(self) -> int:
        """How large it is."""
        return max(len(self.batch), self.wanted)

    def done(self) -> bool:
        return False

    def set_result(self, reply: Reply) -> None:
        self._calls.ended(self, committed_by(reply))

    def set_exception(self, error: Exception) -> None:
        assert isinstance(error, ConnectionFailed | ServerRefused)
        self._calls.not_done(self, error)


class Calls:
    """Makes the calls: each goes out at once if the connection stands, else when it does.

    Args:
        store: The scripts.
        name: What lock tokens begin with; unique in the world.
        owner: Told of the answers.
    """

    def __init__(self, store: WorkStore, name: str, owner: Owner) -> None:
        self._store = store
        self._name = name
        self._owner = owner
        self._made = 0
        self._undecided: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self.under_way: set[Call] = set()

    def make(self, batch: list[Settlement], wanted: int) -> None:
        """Settle these and fetch so many."""
        self._made += 1
        call = Call(self, batch, wanted, f"{self._name}:{self._made}")
        self.under_way.add(call)
        if self._undecided or not self._store.post_commit(batch, wanted, call.token, call):
            self._make_slowly(call)

    async def one_ended(self) -> None:
        """Wait until one of the calls under way has ended."""
        if self.under_way:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    async def all_ended(self) -> None:
        """Wait until those calls have ended that are under way now."""
        calls = self.under_way.copy()
        while not calls.isdisjoint(self.under_way):
            await self.one_ended()

    def ended(self, call: Call, answer: Committed | ConnectionFailed | ServerRefused) -> None:
        """Take note of a call's end."""
        self.under_way.discard(call)
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        try:
            if isinstance(answer, Committed):
                self._owner.answered(call, answer)
            else:
                if isinstance(answer, ConnectionFailed) and answer.undecided and call.wanted:
                    self._undecided.append(call.token)
                self._owner.failed(call, answer)
        except BaseException as error:
            # In the connection's callback nobody else would hear of it.
            self._owner.give_up(error)
            raise

    def not_done(self, call: Call, error: ConnectionFailed | ServerRefused) -> None:
        """Take note that a call that went out at once has failed."""
        told = self._store.refusal(error) if isinstance(error, ServerRefused) else error
        if told is None:
            self._make_slowly(call)
        else:
            self.ended(call, told)

    def _make_slowly(self, call: Call) -> None:
        task = asyncio.get_running_loop().create_task(self._call(call))
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._owner.give_up(error)

    async def _call(self, call: Call) -> None:
        answer: Committed | ConnectionFailed | ServerRefused
        try:
            await self._hand_back_unseen()
            call.begun = time.monotonic()
            answer = await self._store.commit(call.batch, call.wanted, call.token)
        except (ConnectionFailed, ServerRefused) as error:
            answer = error
        self.ended(call, answer)

    async def _hand_back_unseen(self) -> None:
        """Hand back what calls have fetched whose answers were lost: nobody runs it, but it is locked."""
        if not self._undecided:
            return
        tokens, self._undecided = self._undecided, []
        try:
            held = await self._store.held(tokens)
        except (ConnectionFailed, ServerRefused):
            self._undecided += tokens
            raise
        for job_id, token in held:
            self._owner.settle(Settlement("u", job_id, token, ""))
