"""What each page shows, whoever wrote the jobs."""

from __future__ import annotations

import asyncio
import json
import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import toril
from toril.storage.keys import Keys
from toril.web import Identity, Place
from toril.web.dashboard import Dashboard

from .browsers import Browser, Browsing, Texts, fail

HOSTILE = "<script>alert(1)</script>{{ 7*7 }}\"'"
STATES = ("waiting", "prioritized", "active", "delayed", "waiting-children", "completed", "failed")


def paths(queue: str) -> list[str]:
    jobs = [f"/queues/{queue}/jobs?state={state}" for state in STATES]
    return [
        "/",
        f"/queues/{queue}",
        *jobs,
        f"/queues/{queue}?span=24h",
        "/failures",
        "/schedulers",
        "/workers",
    ]


async def test_every_page_has_a_strict_policy_and_no_inline_script_or_style(
    browser: Browser, queue: toril.Queue
) -> None:
    await queue.add_many([toril.NewJob(HOSTILE, {"x": HOSTILE}), toril.NewJob("b", delay=60, priority=2)])
    job_id = await fail(queue, HOSTILE, {"x": HOSTILE}, HOSTILE, lifo=True)
    for path in [*paths(queue.name), f"/queues/{queue.name}/jobs/{job_id}", "/queues/none", "/nothing"]:
        answer = await browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        page = Texts(answer.text)
        for tag, attributes in page.tags:
            assert tag != "style", path
            assert not [name for name in attributes if name == "style" or name.startswith("on")], path
            assert tag != "script" or (attributes.get("src") or "").startswith("/static/app.js"), path
        assert "49" not in page or "{{ 7*7 }}" in page
        assert "http://" not in answer.text.replace("http://www.w3.org", "")
        assert "https://" not in answer.text


async def test_the_overview_counts_and_links_the_queues(browsing: Browsing, queue: toril.Queue) -> None:
    await queue.add_many([toril.NewJob("a") for _ in range(1200)])
    async with browsing() as browser:
        page = Texts(await browser.see("/"))
    assert queue.name in page
    assert "1,200" in page
    assert f"/queues/{queue.name}" in {attributes.get("href") for _, attributes in page.tags}


async def test_jobs_are_listed_by_pages_the_next_one_first(browser: Browser, queue: toril.Queue) -> None:
    jobs = await queue.add_many([toril.NewJob(f"job-{n}") for n in range(120)])
    first = Texts(await browser.see(f"/queues/{queue.name}/jobs?state=waiting"))
    assert f"{jobs[0].id} job-0" in first
    assert "job-50" not in first
    assert "1 to 50 of 120" in first
    last = Texts(await browser.see(f"/queues/{queue.name}/jobs?state=waiting&start=100"))
    assert "101 to 120 of 120" in last
    assert "job-119" in last
    # A place behind the end shows the last page.
    assert "101 to 120 of 120" in Texts(await browser.see(f"/queues/{queue.name}/jobs?start=99999"))
    assert "There is no state" in await browser.see(f"/queues/{queue.name}/jobs?state=x", 404)


async def test_a_search_finds_by_payload_name_error_and_id(browser: Browser, queue: toril.Queue) -> None:
    await fail(queue, "export", {"userId": "u1"}, "no room on disk")
    jobs = await queue.add_many(
        [toril.NewJob("welcome", {"userId": f"u{n}", "tags": [{"k": n}]}) for n in range(30)]
    )

    async def found(state: str, text: str) -> str:
        url = f"/queues/{queue.name}/jobs"
        answer = await browser.get(url, params={"state": state, "q": text})
        return " ".join(" ".join(Texts(answer.text).seen).split())

    one = await found("waiting", "data.userId=u1")
    assert "1 found; looked at 30 of 30" in one, one[400:900]
    assert "11 found" in await found("waiting", "data.userId~u1")
    assert "1 found" in await found("waiting", "data.tags.k=7 name=welcome")
    assert "0 found" in await found("waiting", "name=export")
    assert "1 found" in await found("failed", 'error~"NO ROOM"')
    assert f"Job {jobs[3].id} welcome has this id" in await found("failed", jobs[3].id)
    assert "needs a number" in await found("failed", "attempts>x")


async def test_a_search_through_all_states_goes_on_where_it_was(
    browser: Browser, queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toril.inspection.scan.SECONDS", 0.0)
    await fail(queue, "x", {"userId": "u1"})
    await queue.add_many([toril.NewJob("x", {"userId": f"u{n % 300}"}) for n in range(600)])
    await queue.add("x", {"userId": "u1"}, delay=600)
    link: str | None = f"/queues/{queue.name}/jobs?state=any&q=data.userId%3Du1"
    seen: list[str] = []
    looked = []
    while link is not None:
        page = Texts(await browser.see(link))
        seen += [
            a["class"] or ""
            for tag, a in page.tags
            if tag == "span" and "tag" in (a.get("class") or "").split()
        ]
        looked += re.findall(r"looked at (\d+) of 602", " ".join(page.seen))
        link = next((a["href"] for tag, a in page.tags if tag == "a" and a.get("rel") == "next"), None)
    assert seen == ["tag failed", "tag waiting", "tag waiting", "tag delayed"]
    assert looked == sorted(looked, key=int)
    assert looked[-1] == "602"
    assert "needs a number" in Texts(await browser.see(f"/queues/{queue.name}/jobs?state=any&q=attempts%3Ex"))
    assert "Type what to look for" in Texts(await browser.see(f"/queues/{queue.name}/jobs?state=any"))


async def test_a_long_search_tells_how_far_it_has_looked(
    browser: Browser, queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toril.inspection.scan.SECONDS", 0.0)
    await queue.add_many([toril.NewJob("a", {"n": n}) for n in range(600)])
    page = Texts(await browser.see(f"/queues/{queue.name}/jobs?q=data.n%3D599"))
    assert "0 found; looked at 250 of 600" in page
    (further,) = {a["href"] for tag, a in page.tags if tag == "a" and a.get("rel") == "next"}
    assert further is not None
    page = Texts(await browser.see(further))
    assert "looked at 251 to 500 of 600" in page
    (further,) = {a["href"] for tag, a in page.tags if tag == "a" and a.get("rel") == "next"}
    assert further is not None
    page = Texts(await browser.see(further))
    assert "1 found; looked at 501 to 600 of 600" in page


async def test_a_job_s_page_tells_its_story(browser: Browser, queue: toril.Queue) -> None:
    job_id = await fail(queue, "export", {"userId": "u1"}, HOSTILE, attempts=2, backoff=0.01)
    text = await browser.see(f"/queues/{queue.name}/jobs/{job_id}")
    page = Texts(text)
    for told in (
        "export", "a worker began to run it", "delayed until", "Attempt 1", "Attempt 2", "2 made of 2",
        "breaker", f"tried {job_id}", "ValueError", HOSTILE, '"userId": "u1"',
    ):  # fmt: skip
        assert told in page, told
    assert "<script>alert" not in text
    raw = (await browser.get(f"/queues/{queue.name}/jobs/{job_id}/raw")).json()
    assert raw["failedReason"] == HOSTILE
    assert raw["data"] == {"userId": "u1"}
    assert "never was" in await browser.see(f"/queues/{queue.name}/jobs/none", 404)


async def test_relatives_are_linked(browser: Browser, queue: toril.Queue) -> None:
    async with toril.FlowProducer(queue.url) as flow:
        tree = await flow.add(
            toril.FlowJob("parent", queue.name, children=[toril.FlowJob("child", queue.name)])
        )
    child = tree.children[0].job
    page = await browser.see(f"/queues/{queue.name}/jobs/{tree.job.id}")
    assert f"/queues/{queue.name}/jobs/{child.id}" in page
    assert "waiting children" in Texts(page)
    assert f"/queues/{queue.name}/jobs/{tree.job.id}" in await browser.see(
        f"/queues/{queue.name}/jobs/{child.id}"
    )


async def test_what_another_client_wrote_wrongly_is_shown_all_the_same(
    browser: Browser, queue: toril.Queue
) -> None:
    job = await queue.add("odd", {})
    key = Keys(queue.name).job(job.id)
    call = queue.store.connection.call
    await call("HSET", key, "data", '{"password": "x', "opts", "[", "timestamp", "NaN", "progress", "\xff")
    await call("HSET", key, "stacktrace", "no list", "atm", "many", "parent", "{")
    page = Texts(await browser.see(f"/queues/{queue.name}/jobs?state=waiting"))
    assert "(cannot be read)" in page
    shown = Texts(await browser.see(f"/queues/{queue.name}/jobs/{job.id}"))
    assert "odd" in shown
    assert "is no JSON" in shown or "JSON" in shown
    assert (await browser.get(f"/queues/{queue.name}/jobs/{job.id}/raw")).status_code == 200
    await browser.see(f"/queues/{queue.name}/jobs?state=waiting&q=data.x%3D1")


async def test_secrets_are_neither_shown_nor_found(browser: Browser, queue: toril.Queue) -> None:
    data = {"user": "ann", "password": "hunter2", "nested": [{"apiKey": "k-123456"}]}
    job_id = await fail(queue, "login", data, "cannot reach https://bob:geheim@db/ with token=abc123")
    for path in (
        f"/queues/{queue.name}/jobs?state=failed",
        f"/queues/{queue.name}/jobs/{job_id}",
        f"/queues/{queue.name}/jobs/{job_id}/raw",
        "/failures",
    ):
        text = (await browser.get(path)).text
        for secret in ("hunter2", "k-123456", "geheim", "abc123"):
            assert secret not in text, (path, secret)
    for query in ("data.password=hunter2", "hunter2", "data~hunter2"):
        answer = await browser.get(f"/queues/{queue.name}/jobs", params={"state": "failed", "q": query})
        assert "0 found" in Texts(answer.text)


async def test_the_redaction_hook_decides_what_is_shown(browsing: Browsing, queue: toril.Queue) -> None:
    def redact(value: toril.Json, place: Place) -> toril.Json:
        return f"<{place.part} of {place.name}>"

    job_id = await fail(queue, "login", {"user": "ann"}, "gone")
    async with browsing(redact=redact) as browser:
        page = Texts(await browser.see(f"/queues/{queue.name}/jobs/{job_id}"))
    for part in ("data", "error", "stack", "log"):
        assert f"<{part} of login>" in page
    assert "ann" not in " ".join(page.seen).replace("ann ", "", 1).replace("cancelled", "")
    assert "gone" not in page


async def test_failures_are_gathered_by_kind(browser: Browser, queue: toril.Queue) -> None:
    for n in range(3):
        await fail(queue, "export", {"n": n}, f"no room for {n}")
    await fail(queue, "export", {}, "quite another")
    page = Texts(await browser.see("/failures"))
    assert "Retry 3" in page
    assert "Retry 1" in page
    assert "ValueError" in page
    assert Texts(await browser.see(f"/failures?queue={queue.name}")).seen
    await browser.see("/failures?queue=none", 404)


async def test_schedulers_show_their_next_runs(browser: Browser, queue: toril.Queue) -> None:
    await queue.upsert_job_scheduler("night", toril.Cron("0 3 * * *", tz="Europe/Berlin"), "scan", {"a": 1})
    await queue.upsert_job_scheduler("often", toril.Every(600.0, offset=5.0, limit=2), "scan")
    text = await browser.see("/schedulers")
    page = Texts(text)
    assert "0 3 * * * (Europe/Berlin)" in page
    assert "every 10 min" in page
    assert text.count("<time") == 4 + 2  # the second one has two runs left


async def test_workers_show_what_they_run(browser: Browser, queue: toril.Queue) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handler(job: toril.Job) -> None:
        begun.set()
        await go_on.wait()

    worker = toril.Worker(queue.name, handler, url=queue.url, name="w-1")
    task = asyncio.create_task(worker.run(handle_signals=False))
    job = await queue.add("long")
    await asyncio.wait_for(begun.wait(), 10)
    page = Texts(await browser.see("/workers"))
    go_on.set()
    worker.stop()
    await task
    assert "w-1" in page
    assert f"long {job.id}" in page
    assert "1 worker runs 1 job" in page


async def test_names_of_any_kind_have_pages(valkey_url: str, queue_name: str) -> None:
    name = f"../a b/%2f?&#~{queue_name}"
    async with toril.Queue(name, valkey_url) as queue:
        job = await queue.add("x", job_id="a/../b?c=d#e%")
        async with Dashboard(valkey_url, authorize=lambda request: Identity(), queues=[name]) as dashboard:
            transport = httpx.ASGITransport(dashboard)
            async with Browser(transport=transport, base_url="http://jobs.test") as browser:
                overview = Texts(await browser.see("/"))
                links = [
                    a["href"]
                    for tag, a in overview.tags
                    if tag == "a" and "/queues/" in (a.get("href") or "")
                ]
                assert links
                for link in links:
                    assert link is not None
                    assert name in Texts(await browser.see(link))
                listed = Texts(await browser.see(links[1] or ""))
                (to_job,) = {a["href"] for tag, a in listed.tags if a.get("class") == "open"}
                assert to_job is not None
                assert job.id in Texts(await browser.see(to_job))


async def test_pages_live_below_the_path_they_are_mounted_at(valkey_url: str, queue: toril.Queue) -> None:
    job = await queue.add("x")
    dashboard = Dashboard(valkey_url, authorize=lambda request: Identity(), queues=[queue.name])
    host = Starlette(routes=[Mount("/admin/jobs", dashboard)])
    async with dashboard:
        transport = httpx.ASGITransport(host, root_path="/behind")
        async with Browser(transport=transport, base_url="http://jobs.test") as browser:
            seen = await browser.get("/behind/admin/jobs/")
            for tag, attributes in Texts(seen.text).tags:
                for name in ("href", "src", "action"):
                    link = attributes.get(name) or "/behind/admin/jobs/"
                    assert link.startswith("/behind/admin/jobs/") or link == "#main", (tag, link)
            assert seen.cookies
            page = await browser.see(f"/behind/admin/jobs/queues/{queue.name}/jobs/{job.id}")
            assert f'name="back" value="/behind/admin/jobs/queues/{queue.name}/jobs/{job.id}"' in page
            static = await browser.get("/behind/admin/jobs/static/app.css?v=1")
            assert "immutable" in static.headers["cache-control"]


async def test_a_server_that_is_away_is_told_of(queue_name: str) -> None:
    async with Dashboard(
        "valkey://127.0.0.1:1/0", authorize=lambda request: Identity(), queues=[queue_name]
    ) as dashboard:
        transport = httpx.ASGITransport(dashboard)
        async with Browser(transport=transport, base_url="http://jobs.test") as browser:
            seen = await browser.see("/", 503)
        assert "cannot reach valkey://127.0.0.1:1/0" in Texts(seen), seen


async def test_the_live_stream_tells_first_all_and_then_what_changes(
    valkey_url: str, queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toril.web.watch.FAST", 0.05)
    await queue.add("x")
    dashboard = Dashboard(valkey_url, authorize=lambda request: Identity(), queues=[queue.name])
    streams = dashboard._site.streams
    async with dashboard:
        dashboard._site.watch.start()
        heard: list[dict[str, str]] = []
        async with asyncio.timeout(10):
            async for chunk in streams.stream(f"queue\0{queue.name}"):
                if chunk.startswith(b"data: "):
                    heard.append(json.loads(chunk[6:]))
                    if len(heard) == 1:
                        await queue.add("x")
                    if heard[-1].get("waiting") == "2":
                        break
        assert heard[0].get("waiting") == "1", heard
        assert "completed" in heard[0]
        assert "completed" not in heard[-1]
    assert streams.topics == []


async def test_one_poller_serves_all_who_look(
    valkey_url: str, queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toril.web.watch.FAST", 0.05)
    await queue.add("x")
    dashboard = Dashboard(valkey_url, authorize=lambda request: Identity(), queues=[queue.name])
    site = dashboard._site
    async with dashboard:
        site.watch.start()
        watched = await site.watch.watched(queue.name)

        async def listen() -> None:
            async for chunk in site.streams.stream("overview"):
                if b'"waiting":"2"' in chunk:
                    return

        listeners = [asyncio.create_task(listen()) for _ in range(200)]
        while site.streams.readers < 200:
            await asyncio.sleep(0.01)
        before = len(watched.recent)
        await queue.add("x")
        async with asyncio.timeout(10):
            await asyncio.gather(*listeners)
        assert len(watched.recent) - before <= 20
