"""Declared schedules: put in place as one set, an app's own and no other's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

import toril

from .conftest import Look

NOON, MIDNIGHT = toril.Cron("0 12 * * *"), toril.Cron("0 0 * * *")
Made = Callable[..., toril.Toril]


@pytest.fixture
async def made(valkey_url: str, queue_name: str) -> AsyncIterator[Made]:
    apps: list[toril.Toril] = []

    def make(schedules: dict[str, toril.When], **options: object) -> toril.Toril:
        app = toril.Toril(valkey_url, **options)  # type: ignore[arg-type]
        apps.append(app)

        @app.job(queue_name)
        async def sweep(what: str) -> None: ...

        for scheduler_id, when in schedules.items():
            app.schedule(scheduler_id, when, sweep.options(attempts=3), what=scheduler_id)
        return app

    yield make
    for app in apps:
        await app.close()


async def ids(queue: toril.Queue) -> set[str]:
    return {each.id for each in await queue.get_job_schedulers()}


async def test_a_set_is_added_changed_and_removed(made: Made, queue: toril.Queue, look: Look) -> None:
    assert await made({"a": NOON, "b": NOON, "c": NOON}).apply_schedules() == 3
    first = await queue.get_job_scheduler("a")
    assert first is not None
    assert (first.name, first.data, first.options.attempts, first.owner) == ("sweep", {"what": "a"}, 3, "app")
    kept = await look.newest("a")
    assert await made({"a": NOON, "b": MIDNIGHT, "d": NOON}).apply_schedules() == 2
    assert await ids(queue) == {"a", "b", "d"}
    assert await look.newest("a") == kept
    changed = await queue.get_job_scheduler("b")
    assert changed is not None
    assert changed.when == MIDNIGHT
    assert len(await look.pending()) == 3
    assert await made({"a": NOON, "b": MIDNIGHT, "d": NOON}).apply_schedules() == 0
    # An app whose last schedule is gone takes it away, too.
    assert await made({}).apply_schedules() == 0
    assert await ids(queue) == set()
    assert await look.pending() == []


async def test_those_of_others_stay(made: Made, queue: toril.Queue) -> None:
    await queue.upsert_job_scheduler("by hand", NOON, "n")
    await made({"a": NOON}, name="one").apply_schedules()
    await made({"b": NOON}, name="two").apply_schedules()
    await made({}, name="one").apply_schedules()
    assert await ids(queue) == {"by hand", "b"}


async def test_one_that_was_made_anew_by_hand_is_no_app_s(made: Made, queue: toril.Queue, look: Look) -> None:
    await made({"a": NOON, "b": NOON}).apply_schedules()
    await queue.upsert_job_scheduler("a", MIDNIGHT, "n")
    # As a Node client does it: the whole hash is written anew.
    await queue.remove_job_scheduler("b")
    await queue.upsert_job_scheduler("b", NOON, "n")
    await made({}).apply_schedules()
    assert await ids(queue) == {"a", "b"}
    # Declared again, it is the app's again.
    await made({"a": NOON}).apply_schedules()
    await made({}).apply_schedules()
    assert await ids(queue) == {"b"}


async def test_an_older_release_changes_nothing(
    made: Made, queue: toril.Queue, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = {"a": NOON, "b": NOON}, {"a": MIDNIGHT, "c": NOON}
    await made(old, release=1).apply_schedules()
    await made(new, release=2).apply_schedules()
    with caplog.at_level(logging.WARNING, "toril"):
        assert await made(old, release=1).apply_schedules() == 0
    assert "release 2" in caplog.text
    assert await ids(queue) == {"a", "c"}
    found = await queue.get_job_scheduler("a")
    assert found is not None
    assert found.when == MIDNIGHT
    # Another app's releases are its own.
    await made({"d": NOON}, name="other").apply_schedules()
    assert await ids(queue) == {"a", "c", "d"}


async def test_without_releases_the_last_to_start_is_right(made: Made, queue: toril.Queue) -> None:
    old, new = {"a": NOON, "b": NOON}, {"a": MIDNIGHT, "c": NOON}
    for each in (old, new, old, new):
        await made(each).apply_schedules()
    assert await ids(queue) == {"a", "c"}


async def test_an_id_that_two_apps_declare_is_told(
    made: Made, queue: toril.Queue, caplog: pytest.LogCaptureFixture
) -> None:
    await made({"a": NOON}, name="one").apply_schedules()
    with caplog.at_level(logging.WARNING, "toril"):
        await made({"a": MIDNIGHT}, name="two").apply_schedules()
    assert "app 'one' declares scheduler a too" in caplog.text
    await made({}, name="one").apply_schedules()
    assert await ids(queue) == {"a"}


async def test_a_changed_policy_leaves_the_job_alone(made: Made, queue: toril.Queue, look: Look) -> None:
    await made({"a": toril.Cron("0 0 * * *")}).apply_schedules()
    job = await look.hash(queue.store.keys.job(await look.newest("a")))
    skip = toril.Cron("0 0 * * *", missed=toril.Missed.skip())
    assert await made({"a": skip}).apply_schedules() == 1
    found = await queue.get_job_scheduler("a")
    assert found is not None
    assert found.when == skip
    assert await look.hash(queue.store.keys.job(await look.newest("a"))) == job


async def test_a_set_is_put_in_place_in_one_step(made: Made, queue: toril.Queue) -> None:
    """Whoever looks meanwhile sees the whole old set, or the whole new one."""
    old = {f"old-{i}": NOON for i in range(30)}
    new = {f"new-{i}": NOON for i in range(30)}
    seen: set[frozenset[str]] = set()
    done = asyncio.Event()

    async def look_on() -> None:
        async with toril.Queue(queue.name, queue.url) as other:
            while not done.is_set():
                seen.add(frozenset(await ids(other)))

    await made(old).apply_schedules()
    onlooker = asyncio.create_task(look_on())
    for _ in range(10):
        await made(new).apply_schedules()
        await made(old).apply_schedules()
    done.set()
    await onlooker
    assert seen <= {frozenset(old), frozenset(new)}


@pytest.mark.parametrize("options", [{"name": ""}, {"release": -1}])
def test_a_wrong_name_or_release_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(toril.InvalidOption):
        toril.Toril(**options)  # type: ignore[arg-type]


async def test_obliterate_forgets_who_declared(made: Made, queue: toril.Queue, look: Look) -> None:
    await made({"a": NOON}, release=7).apply_schedules()
    await queue.pause()
    await queue.obliterate()
    assert await look.call("KEYS", f"{queue.store.keys.base}*") == []
