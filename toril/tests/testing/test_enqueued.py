"""Assertions on what is enqueued, and what they say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import toril
from toril import testing

from .conftest import Shop


@pytest.fixture
async def jobs(shop: Shop) -> AsyncIterator[testing.Manual]:
    async with testing.manual(shop.app) as jobs:
        await shop.welcome.enqueue(user_id="u1", tags=["a", "b"])
        await shop.welcome.options(delay=60.0).enqueue(user_id="u2", full_name="Bob")
        await shop.order.enqueue(7)
        await shop.app.queue("legacy").add("import", {"rows": {"first": 1, "last": 9}, "dry": False})
        yield jobs


async def test_what_matches_is_returned(jobs: testing.Manual, shop: Shop) -> None:
    assert (await jobs.assert_enqueued(shop.welcome)).data["userId"] == "u2"
    assert (await jobs.assert_enqueued(shop.welcome, user_id="u1")).delay == 0
    assert (await jobs.assert_enqueued("welcome", userId="u1", tags=["a", "b"])).id == "1"
    assert (await jobs.assert_enqueued(shop.welcome, full_name="Bob", delay=60.5)).id == "2"
    assert (await jobs.assert_enqueued(queue="orders", priority=3)).data == {"number": 7}
    assert (await jobs.assert_enqueued("import", rows={"first": 1})).queue == "legacy"
    assert [job.id for job in await jobs.all_enqueued(shop.welcome)] == ["1", "2"]
    assert await jobs.all_enqueued("nothing") == []


async def test_what_does_not_match_is_not(jobs: testing.Manual, shop: Shop) -> None:
    await jobs.refute_enqueued("nothing")
    await jobs.refute_enqueued(shop.welcome, user_id="u3")
    await jobs.refute_enqueued(shop.welcome, user_id="u1", delay=60)
    await jobs.refute_enqueued(shop.welcome, delay=62)
    await jobs.refute_enqueued(shop.welcome, tags=["a"])
    await jobs.refute_enqueued("import", dry=0)
    await jobs.refute_enqueued("import", rows={"first": 1, "middle": 5})
    await jobs.refute_enqueued(shop.order, queue="email")
    await jobs.refute_enqueued(priority=4)


async def test_a_failure_lists_what_is_there(jobs: testing.Manual, shop: Shop) -> None:
    with pytest.raises(AssertionError) as caught:
        await jobs.assert_enqueued(shop.welcome, user_id="u1", full_name="Bob", delay=60)
    first, *others = str(caught.value).splitlines()
    assert first == (
        'no job is enqueued as wanted: \'welcome\' in queue \'email\' with {"userId":"u1","fullName":"Bob"} '
        "delayed by 60 s (± 1)"
    )
    assert sorted(others) == [
        '  email: \'welcome\' (id 1) {"userId":"u1","fullName":"Ann","tags":["a","b"]}  <- fullName is "Ann"',
        '  email: \'welcome\' (id 2) {"userId":"u2","fullName":"Bob","tags":null}, delayed by 60 s'
        '  <- userId is "u2"',
        '  legacy: \'import\' (id 1) {"rows":{"first":1,"last":9},"dry":false}  <- queue is \'legacy\'',
        "  orders: 'order' (id 1) {\"number\":7}, priority 3  <- queue is 'orders'",
    ]
    with pytest.raises(
        AssertionError, match=r"was to be enqueued: any job in queue 'orders'\n  orders: 'order'"
    ):
        await jobs.refute_enqueued(queue="orders")


async def test_nothing_at_all_is_told(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        with pytest.raises(AssertionError, match="nothing is enqueued"):
            await jobs.assert_enqueued()


async def test_many_are_cut_short(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        await shop.app.queue("email").add_many([shop.welcome.new_job(f"{n}" * 300) for n in range(30)])
        with pytest.raises(AssertionError) as caught:
            await jobs.refute_enqueued()
    assert str(caught.value).endswith("… and 10 more")
    assert max(map(len, str(caught.value).splitlines())) < 260


async def test_a_job_that_cannot_be_read_is_shown(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        queue = shop.app.queue("email")
        job = await queue.add("welcome")
        await queue.store.connection.call("HSET", queue.store.keys.job(job.id), "data", "{")
        with pytest.raises(AssertionError, match="is not JSON"):
            await jobs.assert_enqueued(shop.welcome, user_id="u1")


async def test_a_parameter_that_is_none_is_told(shop: Shop) -> None:
    async with testing.manual(shop.app) as jobs:
        with pytest.raises(
            toril.InvalidOption, match="no parameter 'userId'; it has: user_id, full_name, tags"
        ):
            await jobs.assert_enqueued(shop.welcome, userId="u1")
