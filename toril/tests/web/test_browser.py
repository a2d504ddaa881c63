"""The dashboard in Chromium: every page in light, dark and on a phone, and what one does there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser

import toril
from toril.web import Dashboard, Identity

from .browsers import fail
from .chromium import chromium, served, window

pytestmark = pytest.mark.browser
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
LOOKS = {
    "light": (1280, "light"),
    "dark": (1280, "dark"),
    "phone": (390, "light"),
    "dark phone": (390, "dark"),
}


@pytest.fixture
async def looking() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@asynccontextmanager
async def dashboard(queue: toril.Queue, **options: object) -> AsyncIterator[str]:
    made = Dashboard(
        queue.url,
        authorize=lambda request: Identity("ann"),
        queues=[queue.name],
        **options,  # type: ignore[arg-type]
    )
    async with served(made) as address:
        yield address


@pytest.mark.parametrize("look", LOOKS)
async def test_every_page_fits_and_axe_finds_nothing(looking: Browser, queue: toril.Queue, look: str) -> None:
    width, scheme = LOOKS[look]
    failed = await fail(
        queue, HOSTILE, {"text": HOSTILE, "long": "x" * 500}, HOSTILE, attempts=2, backoff=0.01
    )
    async with toril.FlowProducer(queue.url) as flow:
        tree = await flow.add(
            toril.FlowJob("parent", queue.name, children=[toril.FlowJob("child", queue.name, delay=900)])
        )
    delayed = await queue.add("later", {"n": 1}, delay=3600, priority=3)
    await queue.add_many([toril.NewJob("welcome", {"userId": f"u{n}"}, priority=n % 2) for n in range(60)])
    await queue.upsert_job_scheduler("night", toril.Cron("0 3 * * *", tz="Europe/Berlin"), "scan")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handler(job: toril.Job) -> None:
        await job.update_progress(40)
        begun.set()
        await go_on.wait()

    worker = toril.Worker(queue.name, handler, url=queue.url, name="mailer-1", concurrency=2)
    running = asyncio.create_task(worker.run(handle_signals=False))
    await asyncio.wait_for(begun.wait(), 10)
    active = (await queue.get_job_ids("active"))[0]
    base = f"/queues/{queue.name}"
    jobs = [f"{base}/jobs/{job_id}" for job_id in (failed, tree.job.id, delayed.id, active)]
    states = [
        f"{base}/jobs?state={state}" for state in ("waiting", "active", "completed", "failed", "delayed")
    ]
    search = [f"{base}/jobs?state={state}&q=data.userId~u3" for state in ("prioritized", "any")]
    try:
        async with dashboard(queue) as address, window(looking, address, width=width, scheme=scheme) as tab:
            for path in ["/", base, *jobs, *states, *search, "/failures", "/schedulers", "/workers"]:
                await tab.open(path)
            await tab.page.keyboard.press("?")
            await tab.check()
            for verb in ("Drain…", "Clean…"):
                await tab.page.goto(address + base)
                await tab.page.click(f"button:text-is('{verb}')")
                await tab.page.wait_for_selector("button.danger")
                await tab.check()
            back = await tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (back == "rgb(18, 22, 28)") == (scheme == "dark")
    finally:
        go_on.set()
        worker.stop()
        await running


async def test_a_failed_job_is_found_understood_and_retried(looking: Browser, queue: toril.Queue) -> None:
    job_id = await fail(queue, "export", {"userId": "u1"}, "no room")
    async with dashboard(queue) as address, window(looking, address) as tab:
        page = tab.page
        await tab.open("/")
        await page.click("td[data-label=Failed] a")
        await page.fill("input[type=search]", "error~room")
        await page.keyboard.press("Enter")
        await page.click(f"a.open:has-text('{job_id}')")
        await page.wait_for_selector("pre:has-text('ValueError: no room')")
        await page.click("button:text-is('Retry')")
        assert await tab.told() == "1 job retried."
        await page.wait_for_selector(".tag.state:text-is('waiting')")
        await page.wait_for_selector("li:has-text('no worker')")
        await tab.check()
    assert (await queue.get_job_counts())["waiting"] == 1


async def test_jobs_are_chosen_by_keys_and_removed(looking: Browser, queue: toril.Queue) -> None:
    jobs = await queue.add_many([toril.NewJob("x", {"n": n}) for n in range(5)])
    async with dashboard(queue) as address, window(looking, address) as tab:
        page = tab.page
        await tab.open(f"/queues/{queue.name}/jobs?state=waiting")
        for key in ("j", "x", "j", "x"):
            await page.keyboard.press(key)
        assert await page.inner_text("#chosen") == "2 chosen"
        await page.click("button:text-is('Remove…')")
        await tab.check()
        await page.click("button.danger:text-is('Remove: 2 jobs')")
        assert await tab.told() == "2 jobs removed."
        await page.check("#all")
        assert await page.inner_text("#chosen") == "3 chosen"
        await page.click("button:text-is('Set priority…')")
        await page.fill("input[name=value]", "5")
        await page.click("button:text-is('Set priority: 3 jobs')")
        assert await tab.told() == "3 jobs given another priority."
        await page.keyboard.press("g")
        await page.keyboard.press("w")
        await page.wait_for_url("**/workers")
    assert await queue.get_job_ids("prioritized", ascending=True) == [job.id for job in jobs[2:]]


async def test_a_whole_state_goes_on_by_itself(
    looking: Browser, queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toril.web.doing.SECONDS", 0.0)
    await queue.add_many([toril.NewJob("x", delay=600) for _ in range(700)])
    async with dashboard(queue) as address, window(looking, address, width=390) as tab:
        page = tab.page
        await tab.open(f"/queues/{queue.name}/jobs?state=delayed")
        await page.select_option("select[name=scope]", "state")
        await page.click("button:text-is('Run now…')")
        await page.fill("input[name=typed]", "700")
        await page.click("button:text-is('Run now: 700 jobs')")
        assert await tab.told() == "700 jobs promoted."
    assert (await queue.get_job_counts())["waiting"] == 700


async def test_numbers_are_live_and_a_job_s_page_follows_it(looking: Browser, queue: toril.Queue) -> None:
    job = await queue.add("slow", {"n": 1})
    async with dashboard(queue) as address, window(looking, address) as overview:
        await overview.open("/")
        await overview.page.wait_for_selector(".alive.on")
        async with window(looking, address) as tab:
            await tab.open(f"/queues/{queue.name}/jobs/{job.id}")
            await tab.page.wait_for_selector(".alive.on")
            await tab.page.wait_for_selector(".tag.state:text-is('waiting')")
            await queue.add("other")
            await overview.page.wait_for_selector("td[data-label=Waiting]:has-text('2')")
            await fail(queue, "third", error="gone")
            await tab.page.wait_for_selector(".tag.state:text-is('failed')")
            await tab.page.wait_for_selector("pre:has-text('ValueError: gone')")


async def test_the_theme_is_kept_and_pages_do_not_flash(looking: Browser, queue: toril.Queue) -> None:
    await queue.add("x")
    async with dashboard(queue) as address, window(looking, address) as tab:
        await tab.open("/")
        await tab.page.click("#theme")
        await tab.check()
        await tab.page.reload()
        # It is the server that says so, before any script has run.
        assert 'data-theme="dark"' in await tab.page.evaluate("fetch('/').then(answer => answer.text())")
        assert await tab.page.get_attribute("html", "data-theme") == "dark"


async def test_it_works_without_scripts(looking: Browser, queue: toril.Queue) -> None:
    await queue.add_many([toril.NewJob("x") for _ in range(3)])
    async with dashboard(queue) as address, window(looking, address, script=False) as tab:
        await tab.page.goto(f"{address}/queues/{queue.name}")
        await tab.page.click("button:text-is('Pause')")
        assert "is paused" in await tab.told()
        await tab.page.goto(f"{address}/queues/{queue.name}/jobs")
        await tab.page.check("input[name=id] >> nth=0")
        await tab.page.click("button:text-is('Cancel…')")
        await tab.page.click("button.danger")
        assert await tab.told() == "1 job cancelled."
    assert (await queue.get_job_counts())["failed"] == 1
