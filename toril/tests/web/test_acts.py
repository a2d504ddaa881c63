"""Each act: what it does, how it asks, and who may not."""

from __future__ import annotations

import asyncio
import json
import re

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse

import toril
from toril.web import Act, Dashboard, Identity

from .browsers import Browser, Browsing, Texts, fail


async def counts(queue: toril.Queue) -> dict[str, int]:
    return {state: count for state, count in (await queue.get_job_counts()).items() if count}


async def act(browser: Browser, queue: toril.Queue, verb: str, ids: list[str], **fields: object) -> str:
    """Do it, and return what the next page tells."""
    await browser.see("/")
    await browser.see(f"/queues/{queue.name}")
    answer = await browser.submit(
        "/act", verb=verb, queue=queue.name, ids=json.dumps(ids), back=f"/queues/{queue.name}", **fields
    )
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == f"/queues/{queue.name}"
    text = await browser.see(f"/queues/{queue.name}")
    told = re.search(r'<p class="told" role="status">(.*?)</p>', text)
    assert told is not None
    assert 'class="told"' not in await browser.see(f"/queues/{queue.name}")  # it is told once
    return told[1]


async def test_acts_on_single_jobs(browser: Browser, queue: toril.Queue) -> None:
    failed = await fail(queue, "x")
    assert await act(browser, queue, "retry", [failed]) == "1 job retried."
    assert await counts(queue) == {"waiting": 1}
    assert await act(browser, queue, "priority", [failed], value="7") == "1 job given another priority."
    assert await counts(queue) == {"prioritized": 1}
    delayed = await queue.add("later", delay=600)
    assert await act(browser, queue, "delay", [delayed.id], value="5000") == "1 job given another delay."
    job = await queue.get_job(delayed.id)
    assert job is not None
    assert job.delay == 5000
    assert await act(browser, queue, "promote", [delayed.id]) == "1 job promoted."
    assert await act(browser, queue, "cancel", [delayed.id]) == "1 job cancelled."
    assert await counts(queue) == {"prioritized": 1, "failed": 1}
    assert await act(browser, queue, "remove", [delayed.id, failed]) == "2 jobs removed."
    assert await counts(queue) == {}


async def test_what_cannot_be_done_is_told_and_stops_nothing_else(
    browser: Browser, queue: toril.Queue
) -> None:
    failed, waiting = await fail(queue, "x"), await queue.add("y")
    told = await act(browser, queue, "retry", [failed, waiting.id, "none"])
    assert told.startswith("1 job retried. 2 not: ")
    assert await counts(queue) == {"waiting": 2}


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "2097152", "nan", "1e999"])
async def test_a_wrong_argument_is_refused(browser: Browser, queue: toril.Queue, value: str) -> None:
    job = await queue.add("x")
    await browser.see(f"/queues/{queue.name}")
    answer = await browser.submit(
        "/act", verb="priority", queue=queue.name, ids=json.dumps([job.id]), value=value
    )
    assert answer.status_code == 400
    assert await counts(queue) == {"waiting": 1}


async def test_chosen_jobs_are_counted_before_anything_is_done(browser: Browser, queue: toril.Queue) -> None:
    jobs = await queue.add_many([toril.NewJob("x", delay=60) for _ in range(5)])
    await browser.see(f"/queues/{queue.name}/jobs?state=delayed")
    chosen = [job.id for job in jobs[:3]]
    answer = await browser.submit("/confirm", verb="promote", queue=queue.name, scope="jobs", id=chosen)
    assert "Run now: 3 jobs" in Texts(answer.text)
    assert await counts(queue) == {"delayed": 5}
    (ids,) = re.findall(r'name="ids" value="([^"]*)"', answer.text)
    assert json.loads(ids.replace("&#34;", '"')) == chosen
    nothing = await browser.submit("/confirm", verb="promote", queue=queue.name, scope="jobs", back="/")
    assert nothing.status_code == 303


async def test_all_that_match_a_search(browser: Browser, queue: toril.Queue) -> None:
    await queue.add_many([toril.NewJob("x", {"n": n % 4}, delay=60) for n in range(40)])
    await browser.see(f"/queues/{queue.name}/jobs")
    answer = await browser.submit(
        "/confirm", verb="remove", queue=queue.name, scope="match", state="delayed", q="data.n=3"
    )
    assert "Remove: 10 jobs" in Texts(answer.text)
    ids = json.loads(re.findall(r'name="ids" value="([^"]*)"', answer.text)[0].replace("&#34;", '"'))
    assert await act(browser, queue, "remove", ids) == "10 jobs removed."
    assert await counts(queue) == {"delayed": 30}


async def test_a_whole_state_is_counted_out_and_done_in_slices(
    browser: Browser, queue: toril.Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toril.web.doing.SECONDS", 0.0)
    await queue.add_many([toril.NewJob("x", delay=60) for _ in range(600)])
    await browser.see(f"/queues/{queue.name}/jobs")
    asked = {"verb": "promote", "queue": queue.name, "scope": "state", "state": "delayed", "back": "/"}
    answer = await browser.submit("/confirm", **asked)
    assert "Type 600 to confirm it" in Texts(answer.text)
    for typed in ("", "599"):
        assert (await browser.submit("/act", count=600, typed=typed, **asked)).status_code == 400
    assert await counts(queue) == {"delayed": 600}
    done = 0
    for step in (150, 300, 450):
        answer = await browser.submit("/act", count=600, typed="600", done=done, **asked)
        assert f"{step} of 600 jobs promoted" in Texts(answer.text)
        done = step
    answer = await browser.submit("/act", count=600, typed="600", done=done, **asked)
    assert answer.status_code == 303
    assert await counts(queue) == {"waiting": 600}


async def test_more_jobs_than_the_limit_are_named_by_their_first(
    browser: Browser, queue: toril.Queue
) -> None:
    await queue.add_many([toril.NewJob("x") for _ in range(5200)])
    await browser.see(f"/queues/{queue.name}/jobs")
    answer = await browser.submit("/confirm", verb="cancel", queue=queue.name, scope="state", state="waiting")
    assert "the first 5,000 of 5,200 that are waiting" in Texts(answer.text)
    too_many = json.dumps([str(n) for n in range(5001)])
    assert (await browser.submit("/act", verb="cancel", queue=queue.name, ids=too_many)).status_code == 400


async def test_the_queue_is_paused_resumed_drained_and_cleaned(browser: Browser, queue: toril.Queue) -> None:
    await queue.add_many([toril.NewJob("x"), toril.NewJob("y", delay=60)])
    await fail(queue, "z", lifo=True)
    assert "is paused" in await act(browser, queue, "pause", [])
    assert await queue.is_paused()
    assert "Resume" in Texts(await browser.see(f"/queues/{queue.name}"))
    await act(browser, queue, "resume", [])
    assert not await queue.is_paused()
    for verb in ("drain", "clean"):
        asked = await browser.submit("/confirm", verb=verb, queue=queue.name)
        assert f"{verb.capitalize()} {queue.name}?" in Texts(asked.text)
    await act(browser, queue, "drain", [])
    assert (await counts(queue))["delayed"] == 1
    await act(browser, queue, "drain", [], delayed="1")
    assert "delayed" not in await counts(queue)
    before = (await counts(queue))["failed"]
    assert "0 failed jobs removed." in await act(browser, queue, "clean", [], state="failed", hours="24")
    assert f"{before} failed" in await act(browser, queue, "clean", [], state="failed", hours="0")
    assert await counts(queue) == {}


async def test_a_scheduler_runs_now(browser: Browser, queue: toril.Queue) -> None:
    await queue.upsert_job_scheduler("night", toril.Cron("0 3 * * *"), "scan", {"a": 1}, attempts=4)
    told = await act(browser, queue, "run", [], scheduler="night")
    assert "was added" in told
    (job,) = await queue.get_jobs("waiting")
    assert (job.name, job.data, job.options.attempts) == ("scan", {"a": 1}, 4)
    assert await counts(queue) == {"waiting": 1, "delayed": 1}
    await browser.see(f"/queues/{queue.name}")
    assert (await browser.submit("/act", verb="run", queue=queue.name, scheduler="x")).status_code == 404


async def test_a_read_only_dashboard_has_no_buttons_and_refuses(
    browsing: Browsing, queue: toril.Queue
) -> None:
    job = await queue.add("x")
    async with browsing(read_only=True) as browser:
        for path in (
            "/",
            f"/queues/{queue.name}",
            f"/queues/{queue.name}/jobs",
            f"/queues/{queue.name}/jobs/{job.id}",
        ):
            page = Texts(await browser.see(path))
            assert "read only" in page
            assert not [a for tag, a in page.tags if tag == "button" and a.get("name") == "verb"]
        browser.cookies.set("toril_csrf", "x" * 43)
        browser.csrf = "x" * 43
        for verb in ("remove", "pause"):
            answer = await browser.submit("/act", verb=verb, queue=queue.name, ids=json.dumps([job.id]))
            assert answer.status_code == 403
    assert await counts(queue) == {"waiting": 1}
    assert not await queue.is_paused()


async def test_the_hooks_decide_who_looks_and_who_acts(browsing: Browsing, queue: toril.Queue) -> None:
    job = await queue.add("x")
    acts: list[tuple[str, Act]] = []

    async def authorize(request: Request) -> Identity | RedirectResponse | None:
        who = request.headers.get("x-user", "")
        if who == "stranger":
            return None
        return Identity(who) if who else RedirectResponse("/login")

    async def may_act(identity: Identity, wanted: Act) -> bool:
        return identity.name == "ann" and wanted.verb != "remove"

    async def on_act(identity: Identity, done: Act) -> None:
        acts.append((identity.name, done))

    async with browsing(authorize=authorize, may_act=may_act, on_act=on_act) as browser:
        for path in ("/", "/events", f"/queues/{queue.name}", "/nothing"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["location"]) == (307, "/login")
            assert (await browser.get(path, headers={"x-user": "stranger"})).status_code == 403
        assert (await browser.post("/act")).status_code == 307
        for who, verb, status in (("bob", "cancel", 403), ("ann", "remove", 403), ("ann", "cancel", 303)):
            browser.headers["x-user"] = who
            await browser.see(f"/queues/{queue.name}")
            answer = await browser.submit("/act", verb=verb, queue=queue.name, ids=json.dumps([job.id]))
            assert answer.status_code == status
    assert acts == [("ann", Act("cancel", queue.name, (job.id,)))]


FOREIGN: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://other.jobs.test"},
    {"origin": "http://evil.test"},
    {"origin": "null"},
    {"origin": "http://jobs.test.evil.test"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_another_site_s_request_does_nothing(
    browser: Browser, queue: toril.Queue, headers: dict[str, str]
) -> None:
    await browser.see(f"/queues/{queue.name}")
    data = {"csrf": browser.csrf, "verb": "pause", "queue": queue.name}
    for path in ("/act", "/confirm"):
        assert (await browser.post(path, data=data, headers=headers)).status_code == 403
    assert not await queue.is_paused()


async def test_a_request_needs_the_token_of_the_visitor_s_own_page(
    browser: Browser, queue: toril.Queue
) -> None:
    await browser.see(f"/queues/{queue.name}")
    token = browser.csrf
    for wrong in ("", "x" * 43, token[:-1], token + "x", "\u00e9"):
        browser.csrf = wrong
        assert (await browser.submit("/act", verb="pause", queue=queue.name)).status_code == 403
    cookie = httpx.Cookies()
    browser.cookies, browser.csrf = cookie, token
    assert (await browser.submit("/act", verb="pause", queue=queue.name)).status_code == 403
    browser.csrf = ""
    assert (await browser.submit("/act", verb="pause", queue=queue.name)).status_code == 403
    assert not await queue.is_paused()


@pytest.mark.parametrize(
    "back", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:1", "/a\r\nx: y", ""]
)
async def test_the_way_back_stays_in_the_dashboard(browser: Browser, queue: toril.Queue, back: str) -> None:
    await browser.see(f"/queues/{queue.name}")
    answer = await browser.submit("/act", verb="pause", queue=queue.name, back=back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_form_is_bounded(browser: Browser, queue: toril.Queue) -> None:
    await browser.see(f"/queues/{queue.name}")
    assert (await browser.submit("/act", verb="pause", queue="x" * 2_000_001)).status_code == 400
    assert (await browser.submit("/act", verb="pause", id=["1"] * 3000)).status_code == 400
    answer = await browser.post("/act", content=b"\xff=%ff", headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code in {400, 403}


async def test_a_foreign_host_name_is_not_served(valkey_url: str, queue: toril.Queue) -> None:
    hosts = ("localhost", "127.0.0.1", "::1")
    async with Dashboard(
        valkey_url, authorize=lambda request: Identity(), queues=[queue.name], hosts=hosts
    ) as dashboard:
        transport = httpx.ASGITransport(dashboard)
        for host, status in (("localhost:9181", 200), ("[::1]:9181", 200), ("evil.test", 421), ("", 421)):
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                assert (await client.get("/", headers={"host": host})).status_code == status


async def test_acts_of_many_visitors_do_not_mix(browsing: Browsing, queue: toril.Queue) -> None:
    jobs = await queue.add_many([toril.NewJob("x", delay=60) for _ in range(20)])
    async with browsing() as browser:
        await browser.see(f"/queues/{queue.name}")
        answers = await asyncio.gather(
            *(
                browser.submit("/act", verb="promote", queue=queue.name, ids=json.dumps([job.id]))
                for job in jobs
            )
        )
    assert {answer.status_code for answer in answers} == {303}
    assert await counts(queue) == {"waiting": 20}
