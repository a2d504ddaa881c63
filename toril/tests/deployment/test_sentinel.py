"""A master under Sentinels: found, followed when another takes over, in good order or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

import toril
from toril.storage.address import Address
from toril.storage.blocking import BlockingConnection

from .load import ran, working
from .proxy import Proxy
from .servers import SentinelGroup, ask, info, sentinel_group, server, until


@pytest.fixture
def group() -> Iterator[SentinelGroup]:
    with sentinel_group(replicas=1) as made:
        yield made


async def test_the_master_is_found_and_followed(group: SentinelGroup, queue_name: str) -> None:
    first = group.master()
    async with toril.Queue(queue_name, group.url) as queue, working(queue) as done:
        before = [await queue.add("a", job_id=f"before-{i}") for i in range(20)]
        await ran(done, {job.id for job in before})
        await asyncio.to_thread(group.until_replicated)
        waiting = asyncio.create_task((await queue.add("late", delay=4.0, job_id="late")).wait(timeout=40))
        await asyncio.to_thread(group.fail_over)
        after = []
        for i in range(20):
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(toril.ConnectionFailed, toril.ServerRefused):
                        after.append(await queue.add("a", job_id=f"after-{i}"))
                        break
                    await asyncio.sleep(0.05)
        await ran(done, {job.id for job in after})
        assert group.master() is not first
        assert await waiting == "late"
        # The worker's connections are the new master's; its lock renewal finds it too.
        renewer = BlockingConnection(Address.of(group.url), "test", 2.0)
        try:
            assert renewer.call("ROLE")[0] == b"master"
        finally:
            renewer.close()
        assert info(group.master().port, "server")["tcp_port"] == str(group.master().port)


async def test_a_long_job_keeps_its_lock_over_a_failover(group: SentinelGroup, queue_name: str) -> None:
    runs = 0

    async def handler(job: toril.Job) -> None:
        nonlocal runs
        runs += 1
        started.set()
        await release.wait()

    started, release = asyncio.Event(), asyncio.Event()
    async with toril.Queue(queue_name, group.url) as queue:
        worker = toril.Worker(queue_name, handler, url=group.url, lock_duration=6.0, stalled_interval=0.5)
        task = asyncio.create_task(worker.run(handle_signals=False))
        job = await queue.add("a")
        await started.wait()
        await asyncio.to_thread(group.until_replicated)
        await asyncio.to_thread(group.fail_over)
        lock = f"bull:{queue_name}:{job.id}:lock"
        # Renewed twice at the new master: the lock lives on for longer than one renewal gives it.
        async with asyncio.timeout(30):
            for _ in range(2):
                while ask(group.master().port, "PTTL", lock) > 4500:
                    await asyncio.sleep(0.05)
                while ask(group.master().port, "PTTL", lock) < 4500:
                    await asyncio.sleep(0.05)
        release.set()
        assert await job.wait(timeout=20) is None
        assert runs == 1
        worker.stop()
        await task


class Told:
    """A Sentinel that names the master that it is told to."""

    def __init__(self, master: int) -> None:
        self.master = master
        self.asked = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"mymaster\r\n"):
            self.asked += 1
            port = str(self.master).encode()
            writer.write(b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%b\r\n" % (len(port), port))
            with contextlib.suppress(asyncio.IncompleteReadError):
                await reader.read()
            writer.close()
            return


async def test_a_server_that_is_a_replica_now_is_left(queue_name: str) -> None:
    """Its connections stay open: READONLY tells. What a Sentinel says is checked, until it is true."""
    with server() as one, server() as two:
        sentinel = Told(one.port)
        async with await asyncio.start_server(sentinel.answer, "127.0.0.1", 0) as told:
            url = f"valkey+sentinel://127.0.0.1:{told.sockets[0].getsockname()[1]}/mymaster"
            async with toril.Queue(queue_name, url) as queue, working(queue) as done:
                await ran(done, {(await queue.add("a", job_id="first")).id})
                ask(two.port, "REPLICAOF", "127.0.0.1", one.port)
                await asyncio.to_thread(
                    until, lambda: info(two.port, "replication")["master_link_status"] == "up", "it follows"
                )
                ask(two.port, "REPLICAOF", "NO", "ONE")
                ask(one.port, "REPLICAOF", "127.0.0.1", two.port)
                asked = sentinel.asked
                adding = asyncio.create_task(queue.add("b", job_id="second"))
                while sentinel.asked < asked + 3:
                    await asyncio.sleep(0.01)
                assert not adding.done()  # the Sentinel still names the old one, which is no master
                sentinel.master = two.port
                await ran(done, {(await adding).id})
                assert done == {"first": 1, "second": 1}


async def test_one_name_with_another_server_behind_it(queue_name: str) -> None:
    """As with a managed service: the name stays, and READONLY tells that it leads elsewhere."""
    with server() as one, server() as two:
        async with (
            Proxy(one.port) as proxy,
            toril.Queue(queue_name, f"valkey://127.0.0.1:{proxy.port}") as queue,
        ):
            await queue.add("a")
            ask(one.port, "REPLICAOF", "127.0.0.1", two.port)
            proxy.target = two.port
            await queue.add("b")
            assert ask(two.port, "LLEN", f"bull:{queue_name}:wait") == 1
            ask(two.port, "REPLICAOF", "127.0.0.1", one.port)
            with pytest.raises(toril.ServerRefused, match="READONLY"):
                await queue.add("c")


async def test_the_master_is_killed_under_load(queue_name: str) -> None:
    """What WAIT has acknowledged survives the master, and all of it runs."""
    with sentinel_group(replicas=2) as group:
        url = f"{group.url}?replicas=1"
        acknowledged: set[str] = set()
        async with (
            toril.Queue(queue_name, url) as queue,
            toril.Queue(queue_name, url) as other,
            working(queue) as done,
        ):

            async def produce(queue: toril.Queue, name: str) -> None:
                for i in range(10_000):
                    while True:
                        try:
                            acknowledged.add((await queue.add("a", job_id=f"{name}-{i}")).id)
                            break
                        except (toril.ConnectionFailed, toril.ServerRefused, toril.NotReplicated):
                            await asyncio.sleep(0.02)

            producing = [asyncio.create_task(produce(queue, "x")), asyncio.create_task(produce(other, "y"))]
            while len(done) < 300:
                await asyncio.sleep(0.01)
            master = group.master()
            master.kill()
            before = len(acknowledged)
            async with asyncio.timeout(40):
                while len(acknowledged) < before + 300:
                    await asyncio.sleep(0.02)
            for task in producing:
                task.cancel()
            await asyncio.wait(producing)
            await ran(done, acknowledged, limit=60)
            assert group.master() is not master
            assert max(done.values()) <= 2


async def test_too_few_replicas_are_told(group: SentinelGroup, queue_name: str) -> None:
    async with toril.Queue(queue_name, f"{group.url}?replicas=1&replicas_timeout=0.2") as queue:
        await queue.add("a", job_id="one")
        group.servers[1].kill()
        with pytest.raises(toril.NotReplicated, match="0 of 1 replicas") as told:
            await queue.add("a", job_id="two")
        assert told.value.reached == 0
        # They gather while one wait is under way, so that all are told within a few waits.
        results = await asyncio.wait_for(
            asyncio.gather(*(_told(queue, i) for i in range(200)), return_exceptions=True), 5.0
        )
        assert results == [True] * 200
        assert (await queue.get_job_counts())["waiting"] == 202
        group.servers[1].restart()
        await asyncio.to_thread(group.until_replicated)
        again = await queue.add("a", job_id="two")
        assert not again.created


async def _told(queue: toril.Queue, turns: int) -> bool:
    for _ in range(turns):
        await asyncio.sleep(0)  # so that each is added in a turn of its own
    try:
        await queue.add("b")
    except toril.NotReplicated:
        return True
    return False


async def test_sentinels_that_are_gone_or_know_nothing(queue_name: str, group: SentinelGroup) -> None:
    gone = f"valkey+sentinel://127.0.0.1:1,127.0.0.1:{group.sentinels[0]}/mymaster"
    async with toril.Queue(queue_name, gone) as queue:
        await queue.add("a")  # the second one knows
    unknown = f"valkey+sentinel://127.0.0.1:{group.sentinels[0]}/other"
    async with toril.Queue(queue_name, unknown) as queue:
        with pytest.raises(toril.ConnectionFailed, match="does not know it"):
            await queue.add("a")


async def test_users_and_passwords_for_both(queue_name: str) -> None:
    with sentinel_group(replicas=0, sentinels=1, password="serverpw", monitor=_USERS) as group:
        hosts = f"127.0.0.1:{group.sentinels[0]}/mymaster"
        right = f"valkey+sentinel://:serverpw@{hosts}?sentinel_username=ann&sentinel_password=annpw"
        async with toril.Queue(queue_name, right) as queue, working(queue) as done:
            job = await queue.add("a")
            await ran(done, {job.id})
        wrong = f"valkey+sentinel://:serverpw@{hosts}?sentinel_username=ann&sentinel_password=no"
        async with toril.Queue(queue_name, wrong) as queue:
            with pytest.raises(toril.ConnectionFailed, match="WRONGPASS"):
                await queue.add("a")


_USERS = """sentinel auth-pass mymaster serverpw
user default on nopass ~* &* +@all
user ann on >annpw ~* &* +@all
"""
