"""A replay goes to the original queue, as the job was, once; many go evenly paced, after a dry run."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from desks import Desk
from failing import fail, letters, refuse, work
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

import toril
from insightdesk.accounts.models import Role
from insightdesk.database import database, transaction
from insightdesk.dead_letters import service
from insightdesk.dead_letters.models import DeadLetter
from insightdesk.dead_letters.recorder import QueueRecorder
from insightdesk.dead_letters.replaying import packed, replay_job
from insightdesk.kit import clock
from toril import outbox

pytestmark = pytest.mark.usefixtures("quiet_database")


async def failed_letter(
    desk: Desk, queue: toril.Queue, recorder: QueueRecorder, url: str, **options: object
) -> DeadLetter:
    await fail(queue, url, {"userId": desk.agent.user_id, "email": "ann@example.com"}, **options)
    await recorder.reconcile(queue, whole=True)
    return (await letters(queue.name))[-1]


async def relay(url: str) -> None:
    """Carry what is in the outbox to its queues."""
    mover = outbox.OutboxRelay(database().engine, url=url)
    while await mover.run_once():
        pass
    await mover.close()


@pytest.fixture
async def letter(desk: Desk, queue: toril.Queue, recorder: QueueRecorder, valkey_url: str) -> DeadLetter:
    return await failed_letter(desk, queue, recorder, valkey_url, attempts=3, priority=7, delay=0.01)


async def test_a_retry_goes_to_the_original_queue_once_and_is_audited(
    api: httpx.AsyncClient, desk: Desk, queue: toril.Queue, letter: DeadLetter, valkey_url: str
) -> None:
    admin = desk.headers(Role.ADMIN)
    answers = await asyncio.gather(
        *(api.post(f"/admin/jobs/retry/{letter.id}", headers=admin) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    (done,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert (done["success"], done["message"]) == (True, "Job re-enqueued")
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert all(each["error"].startswith("already retried at ") for each in refused)
    await relay(valkey_url)
    (job,) = await queue.get_jobs(toril.JobState.PRIORITIZED)
    assert (job.id, job.name) == (f"replay-{letter.id}", "refused")
    assert job.data == {"userId": desk.agent.user_id, "email": "ann@example.com"}
    assert (job.options.attempts, job.options.priority) == (3, 7)
    async with transaction() as session:
        found = await session.execute(
            text("SELECT actor_id, subject_id FROM audit_log WHERE action = 'dead_letter.replayed'"
                 " AND organization_id = :id"), {"id": desk.organization_id},
        )  # fmt: skip
        assert found.all() == [(desk.admin.user_id, letter.id)]


async def test_a_replay_that_completes_resolves_its_letter_and_one_that_fails_is_a_new_one(
    api: httpx.AsyncClient, desk: Desk, queue: toril.Queue, recorder: QueueRecorder, letter: DeadLetter,
    valkey_url: str,
) -> None:  # fmt: skip
    running = asyncio.create_task(recorder.run())
    await api.post(f"/admin/jobs/retry/{letter.id}", headers=desk.headers(Role.ADMIN))
    await relay(valkey_url)
    job = await queue.get_job(f"replay-{letter.id}")
    assert job is not None
    await work(queue, valkey_url, refuse, job)
    deadline = time.monotonic() + 15.0
    while len(found := await letters(queue.name)) < 2:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    again = found[-1]
    assert again.replay_of == letter.id
    await api.post(f"/admin/jobs/retry/{again.id}", headers=desk.headers(Role.ADMIN))
    await relay(valkey_url)
    job = await queue.get_job(f"replay-{again.id}")
    assert job is not None

    async def succeed(_: toril.Job) -> None: ...

    await work(queue, valkey_url, succeed, job)
    while (await letters(queue.name))[-1].resolved_at is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait([running])


async def test_another_organization_and_other_roles_find_nothing(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, letter: DeadLetter
) -> None:
    foreign = other_desk.headers(Role.ADMIN)
    body = {"fingerprint": letter.fingerprint, "dryRun": False}
    for method, path, json in (
        ("POST", f"/admin/jobs/retry/{letter.id}", None),
        ("GET", f"/admin/dead-letters/{letter.id}", None),
        ("PATCH", f"/admin/dead-letters/{letter.id}", {"resolved": True}),
    ):
        answer = await api.request(method, path, json=json, headers=foreign)
        assert (answer.status_code, answer.json()) == (404, {"success": False, "error": "Job not found"})
    replayed = await api.post("/admin/dead-letters/replay", json=body, headers=foreign)
    assert replayed.json()["data"]["letters"] == 0
    for path in ("/admin/jobs/failed", "/admin/dead-letters/groups"):
        assert (await api.get(path, headers=foreign)).json()["data"] == []
        for role in (Role.AGENT, Role.CUSTOMER):
            assert (await api.get(path, headers=desk.headers(role))).status_code == 403
    (shown,) = (await api.get("/admin/jobs/failed", headers=desk.headers(Role.ADMIN))).json()["data"]
    assert shown["originalJobId"] == letter.job_id
    assert "ann@example.com" not in str(shown)


async def test_what_belongs_to_nobody_is_shown_to_nobody(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, queue: toril.Queue, recorder: QueueRecorder,
    valkey_url: str,
) -> None:  # fmt: skip
    await fail(queue, valkey_url, {})
    await fail(
        queue, valkey_url, {"userId": desk.agent.user_id, "organizationId": other_desk.organization_id}
    )
    await fail(queue, valkey_url, {"userId": desk.agent.user_id, "organizationId": "of another desk"})
    await recorder.reconcile(queue, whole=True)
    found = await letters(queue.name)
    assert [letter.organization_id for letter in found] == [None, None, None]
    for one in (desk, other_desk):
        answer = await api.get("/admin/jobs/failed", headers=one.headers(Role.ADMIN))
        assert answer.json()["data"] == []


async def test_a_paced_replay_of_a_kind_after_a_dry_run(
    api: httpx.AsyncClient, desk: Desk, queue: toril.Queue, recorder: QueueRecorder, valkey_url: str
) -> None:
    data = {"userId": desk.agent.user_id}
    jobs = await queue.add_many([toril.NewJob("refused", {**data, "n": n}) for n in range(5)])
    await work(queue, valkey_url, refuse, *jobs)
    await recorder.reconcile(queue, whole=True)
    admin = desk.headers(Role.ADMIN)
    (group,) = (await api.get("/admin/dead-letters/groups", headers=admin)).json()["data"]
    assert (group["total"], group["open"], group["queue"]) == (5, 5, queue.name)
    body = {"fingerprint": group["fingerprint"], "perMinute": 2}
    dry = (await api.post("/admin/dead-letters/replay", json=body, headers=admin)).json()["data"]
    assert dry == {"dryRun": True, "letters": 5, "left": 0, "seconds": 120.0}
    assert all(letter.retried_at is None for letter in await letters(queue.name))
    body["dryRun"] = False
    real = (await api.post("/admin/dead-letters/replay", json=body, headers=admin)).json()["data"]
    assert real == {"dryRun": False, "letters": 5, "left": 0, "seconds": 120.0}
    again = (await api.post("/admin/dead-letters/replay", json=body, headers=admin)).json()["data"]
    assert again["letters"] == 0
    await relay(valkey_url)
    counts = await queue.get_job_counts()
    assert counts["delayed"] + counts["waiting"] == 5
    delays = sorted(job.delay for job in await queue.get_jobs(toril.JobState.DELAYED))
    assert delays == pytest.approx([30.0, 60.0, 90.0, 120.0], abs=2.0)
    # A retry of one of them comes too late, too.
    one = (await letters(queue.name))[0]
    assert (await api.post(f"/admin/jobs/retry/{one.id}", headers=admin)).status_code == 409


async def test_odd_texts_are_replayed_as_they_were(
    api: httpx.AsyncClient, desk: Desk, queue: toril.Queue, recorder: QueueRecorder, valkey_url: str
) -> None:
    data = {
        "userId": desk.agent.user_id,
        "text": "nul \x00, \\u0000, \U0001f41b, \u202e, 'quotes\"",
        "n": 2**53,
    }
    await fail(queue, valkey_url, data)
    await recorder.reconcile(queue, whole=True)
    (letter,) = await letters(queue.name)
    answer = await api.post(f"/admin/jobs/retry/{letter.id}", headers=desk.headers(Role.ADMIN))
    assert answer.status_code == 200, answer.text
    await relay(valkey_url)
    job = await queue.get_job(f"replay-{letter.id}")
    assert job is not None
    assert job.data == data


async def test_a_review_is_kept_and_can_be_taken_back(
    api: httpx.AsyncClient, desk: Desk, letter: DeadLetter
) -> None:
    path, admin = f"/admin/dead-letters/{letter.id}", desk.headers(Role.ADMIN)
    empty = await api.patch(path, json={}, headers=admin)
    assert (empty.status_code, "nothing to change" in empty.json()["error"]) == (422, True)
    body = {"acknowledged": True, "resolved": True, "note": "Ann moved"}
    shown = (await api.patch(path, json=body, headers=admin)).json()["data"]
    assert (shown["acknowledgedBy"], shown["note"]) == (desk.admin.user_id, "Ann moved")
    listed = await api.get("/admin/jobs/failed?open=true", headers=admin)
    assert listed.json()["data"] == []
    shown = (await api.patch(path, json={"resolved": False}, headers=admin)).json()["data"]
    assert (shown["resolvedAt"], shown["note"]) == (None, "Ann moved")
    group = f"/admin/dead-letters/groups/{letter.fingerprint}/resolve"
    assert (await api.post(group, headers=admin)).json()["data"] == {"resolved": 1}
    detail = (await api.get(path, headers=admin)).json()["data"]
    assert "Traceback" in detail["trace"]
    assert "ann@example.com" not in str(detail)


async def test_an_erased_person_is_nowhere_and_her_job_cannot_be_replayed(
    api: httpx.AsyncClient, desk: Desk, letter: DeadLetter
) -> None:
    async with transaction() as session:
        erased = await service.erase_person(
            session, desk.organization_id, desk.agent.user_id, "ANN@example.com"
        )
        assert erased == 1
    async with transaction() as session:
        row = await session.scalar(
            text("SELECT dead_letters::text FROM dead_letters WHERE id = :id"), {"id": letter.id}
        )
    assert "ann@example.com" not in row
    assert desk.agent.user_id not in row
    answer = await api.post(f"/admin/jobs/retry/{letter.id}", headers=desk.headers(Role.ADMIN))
    assert answer.status_code == 409
    assert "erased" in answer.json()["error"]


async def test_old_letters_go_and_stay_away(
    desk: Desk, queue: toril.Queue, recorder: QueueRecorder, letter: DeadLetter
) -> None:
    later = clock.now() + service.RETENTION
    async with transaction() as session:
        while await service.purge(session, later):
            pass
        assert await service.record(session, [], later) == []
    assert await letters(queue.name) == []


KEEP = st.builds(toril.Keep, st.none() | st.integers(0, 99), st.none() | st.floats(0, 99))
OPTIONS = st.builds(
    toril.JobOptions,
    priority=st.integers(0, 1000),
    attempts=st.integers(1, 50),
    lifo=st.booleans(),
    timeout=st.none() | st.floats(0.5, 1000),
    backoff=st.none() | st.builds(toril.Backoff.exponential, st.floats(0, 1000), jitter=st.floats(0, 1)),
    keep_completed=st.none()
    | st.builds(toril.Keep, st.none() | st.integers(0, 99), st.none() | st.floats(0, 99)),
    keep_failed=st.none() | st.builds(toril.Keep, st.none() | st.integers(0, 99)),
    keep_logs=st.none() | st.integers(1, 99),
)


@given(OPTIONS)
@settings(max_examples=60, deadline=None)
def test_options_survive_the_letter(options: toril.JobOptions) -> None:
    job = replay_job("1", "n", {}, packed(options), 0.0)
    assert packed(job.options) == packed(options)
    assert job.options.keep_failed == options.keep_failed
    assert job.options.backoff == options.backoff
