"""Exports from the request to the file, with real workers."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from desks import Desk
from exports import add_tickets, ask, ended, made, rows_of, stored_export, view
from sqlalchemy import Engine, Update, delete, event, select, update

import toril
from insightdesk.accounts.models import AuditEntry, Organization, Role, User
from insightdesk.database import database, new_id, transaction
from insightdesk.email.models import Delivery, DeliveryState
from insightdesk.kit import clock
from insightdesk.reports.exports import service
from insightdesk.reports.exports.collecting import collect
from insightdesk.reports.exports.models import Export, ExportFormat, ExportState, ReportType
from insightdesk.reports.storage import Storage, StorageFailed
from insightdesk.settings import get_settings
from insightdesk.sla.models import Metric, SlaClock
from insightdesk.tickets.models import Ticket
from insightdesk.worker import app

pytestmark = pytest.mark.usefixtures("quiet_database")


async def stored_keys(files: Storage, desk: Desk) -> set[str]:
    """The organization's files: workers make what other tests have asked for, too."""
    return {file.key async for page in files.files(f"exports/{desk.organization_id}") for file in page}


async def mails_to(desk: Desk, template: str = "report_ready") -> list[Delivery]:
    async with transaction() as session:
        found = await session.scalars(
            select(Delivery).where(
                Delivery.organization_id == desk.organization_id, Delivery.template == template
            )
        )
        return list(found)


async def test_an_agent_asks_sees_the_progress_and_gets_the_link_by_mail(
    api: httpx.AsyncClient, desk: Desk, working: None
) -> None:
    await add_tickets(desk, 25)
    answer = await ask(api, desk)
    assert answer.status_code == 202
    assert answer.json()["data"] | {"id": "", "createdAt": ""} == {
        "id": "", "createdAt": "", "reportType": "tickets", "format": "csv", "state": "queued", "percent": 0,
        "rowsDone": 0, "rowsTotal": None, "sizeBytes": None, "error": None, "requestedBy": desk.agent.user_id,
        "finishedAt": None, "expiresAt": None, "downloadUrl": None,
    }  # fmt: skip
    found = await ended(api, desk, answer.json()["data"]["id"])
    assert (found["state"], found["percent"], found["rowsDone"], found["rowsTotal"]) == ("done", 100, 25, 25)
    async with asyncio.timeout(10):
        while not [mail for mail in await mails_to(desk) if mail.state is DeliveryState.SENT]:
            await asyncio.sleep(0.05)
    [mail] = await mails_to(desk)
    assert (mail.recipient, mail.subject) == (desk.agent.email, "Your tickets report is ready")
    assert str(found["downloadUrl"]) in mail.text
    link = str(found["downloadUrl"])
    rows = rows_of((await api.get(link[link.index("/files/") :])).content)
    assert [row["Number"] for row in rows] == [str(number) for number in range(1, 26)]
    assert rows[2] | {"Created": "", "Updated": ""} == {
        "Number": "3", "Subject": "Printer 3", "Status": "open", "Priority": "urgent",
        "Customer": "The customer", "Customer e-mail": desk.customer.email, "Assignee": "The agent",
        "Created": "", "Updated": "", "Resolved": "", "Closed": "", "Closed because": "",
    }  # fmt: skip


async def test_the_download_route_serves_the_file_and_notes_who_got_it(
    api: httpx.AsyncClient, desk: Desk, working: None
) -> None:
    await add_tickets(desk, 3)
    export_id = (await ask(api, desk)).json()["data"]["id"]
    early = await api.get(f"/api/reports/exports/{new_id()}/download", headers=desk.headers(Role.AGENT))
    assert early.status_code == 404
    await ended(api, desk, export_id)
    path = f"/api/reports/exports/{export_id}/download"
    answer = await api.get(path, headers=desk.headers(Role.ADMIN))
    assert len(rows_of(answer.content)) == 3
    assert answer.headers["content-type"].startswith("text/csv")
    async with transaction() as session:
        noted = await session.scalars(
            select(AuditEntry.action).where(
                AuditEntry.subject_id == export_id, AuditEntry.actor_id == desk.admin.user_id
            )
        )
        assert list(noted) == ["export.downloaded"]


async def test_only_staff_of_the_organization_has_exports(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, working: None
) -> None:
    await add_tickets(desk, 2, subject="Ours {0}")
    await add_tickets(other_desk, 2, subject="Theirs {0}")
    assert (await ask(api, desk, Role.CUSTOMER)).status_code == 403
    assert (await api.post("/api/reports/exports", json={"reportType": "tickets"})).status_code == 401
    by_admin = (await ask(api, desk, Role.ADMIN)).json()["data"]["id"]
    found = await ended(api, desk, by_admin, Role.ADMIN)
    rows = rows_of(await made(api, desk))
    assert {row["Subject"] for row in rows} == {"Ours 1", "Ours 2"}
    readers = [(desk, Role.AGENT, 404), (desk, Role.CUSTOMER, 403), (other_desk, Role.ADMIN, 404),
               (other_desk, Role.AGENT, 404), (desk, Role.ADMIN, 200)]  # fmt: skip
    for reader, role, status in readers:
        for path in (f"/api/reports/exports/{by_admin}", f"/api/reports/exports/{by_admin}/download"):
            assert (await api.get(path, headers=reader.headers(role))).status_code == status
        assert (await api.get(f"/api/reports/exports/{by_admin}")).status_code == 401
        listed = await api.get("/api/reports/exports", headers=reader.headers(role))
        ids = [item["id"] for item in listed.json().get("data", {}).get("items", [])]
        assert (by_admin in ids) is (status == 200)
    assert found["requestedBy"] == desk.admin.user_id


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"reportType": "secrets"}, "reportType"),
        ({"format": "exe"}, "format"),
        ({"format": "pdf", "byteOrderMark": True}, "byteOrderMark"),
        ({"filters": {"status": "lost"}}, "filters.status.0"),
        ({"filters": {"status": []}}, "filters.status"),
        ({"filters": {"priority": ["urgent", "'; DROP TABLE tickets"]}}, "filters.priority.1"),
        ({"filters": {"from": "2026-02-30"}}, "filters.from"),
        ({"filters": {"from": "2026-03-02", "to": "2026-03-01"}}, "to: is before from"),
        ({"filters": {"from": "1990-01-01", "to": "2026-03-01"}}, "to: is more than"),
        ({"filters": {"to": "0001-01-01"}}, "to: must be of the years"),
        ({"filters": {"assigneeId": "nobody"}}, "filters.assigneeId"),
        ({"filters": {"colour": "red"}}, "filters.colour"),
        ({"reportType": "sla-attainment", "filters": {"status": "open"}}, "filters.status"),
        ({"path": "../../etc"}, "path"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_place(
    api: httpx.AsyncClient, desk: Desk, wanted: dict[str, object], field: str
) -> None:
    answer = await ask(api, desk, **wanted)
    assert answer.status_code == 422
    assert field in answer.json()["error"]


async def test_another_organizations_person_is_no_filter(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk
) -> None:
    answer = await ask(api, desk, filters={"assigneeId": other_desk.agent.user_id})
    assert answer.json()["error"] == "filters.assigneeId: no such user in this organization"


async def test_filters_choose_the_rows(api: httpx.AsyncClient, desk: Desk, working: None) -> None:
    await add_tickets(desk, 30)

    async def numbers(**filters: object) -> list[int]:
        return [int(row["Number"]) for row in rows_of(await made(api, desk, filters=filters))]

    assert await numbers(status="resolved") == [5, 10, 15, 20, 25, 30]
    assert await numbers(status=["resolved"], priority="urgent") == [5, 15, 25]
    assert await numbers(assigneeId=desk.agent.user_id, priority=["normal"]) == [6, 12, 18, 24, 30]
    messages = rows_of(await made(api, desk, reportType="messages", filters={"status": "resolved"}))
    assert [row["Ticket"] for row in messages] == ["5", "10", "15", "20", "25", "30"]
    assert messages[0]["Message"] == "It is Printer 5."
    assert messages[0]["Role"] == "customer"


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        # The day of 29 March has 23 hours in Berlin, that of 25 October 25; Kathmandu is 5:45 ahead.
        ("Europe/Berlin", "2026-03-28T23:00:00+00:00", "2026-03-29T21:59:59+00:00"),
        ("America/New_York", "2026-03-29T04:00:00+00:00", "2026-03-30T03:59:59+00:00"),
        ("Asia/Kathmandu", "2026-03-28T18:15:00+00:00", "2026-03-29T18:14:59+00:00"),
    ],
)
async def test_days_are_those_of_the_organization(
    api: httpx.AsyncClient, desk: Desk, working: None, zone: str, first: str, last: str
) -> None:
    async with transaction() as session:
        await session.execute(
            update(Organization).where(Organization.id == desk.organization_id).values(time_zone=zone)
        )
    minute = timedelta(minutes=1)
    begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    await add_at(desk, [begin - timedelta(seconds=1), begin, end, end + timedelta(seconds=1) + minute])
    rows = rows_of(await made(api, desk, filters={"from": "2026-03-29", "to": "2026-03-29"}))
    assert [datetime.fromisoformat(row["Created"]) for row in rows] == [begin, end]
    assert rows[0]["Created"].startswith("2026-03-29T00:00:00")
    assert rows[1]["Created"].startswith("2026-03-29T23:59:59")


async def add_at(desk: Desk, moments: list[datetime]) -> None:
    await add_tickets(desk, len(moments))
    async with transaction() as session:
        for number, moment in enumerate(moments, 1):
            await session.execute(update_ticket(desk, number).values(created_at=moment, updated_at=moment))


def update_ticket(desk: Desk, number: int) -> Update:
    return update(Ticket).where(Ticket.organization_id == desk.organization_id, Ticket.number == number)


async def test_kept_promises_are_counted_by_week_and_metric(
    api: httpx.AsyncClient, desk: Desk, working: None
) -> None:
    await add_tickets(desk, 4)
    monday = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    async with transaction() as session:
        tickets = list(
            await session.scalars(select(Ticket.id).where(Ticket.organization_id == desk.organization_id))
        )
        for number, ticket_id in enumerate(tickets):
            moment = monday + timedelta(weeks=number // 3)
            session.add(
                SlaClock(
                    organization_id=desk.organization_id,
                    ticket_id=ticket_id,
                    metric=Metric.FIRST_RESPONSE,
                    target_seconds=60.0,
                    started_at=moment,
                    warn_at=moment,
                    due_at=moment,
                    fulfilled_at=moment,
                    breached_at=moment if number == 0 else None,
                )
            )
    days = {"from": "2026-03-01", "to": "2026-03-31"}
    rows = rows_of(await made(api, desk, reportType="sla-attainment", filters=days))
    assert [(row["Week of"], row["Metric"], row["Met"], row["Breached"]) for row in rows] == [
        ("2026-03-02", "first response", "2", "1"),
        ("2026-03-09", "first response", "1", "0"),
    ]
    pdf = await made(api, desk, Role.ADMIN, reportType="sla-attainment", format="pdf", filters=days)
    assert pdf.startswith(b"%PDF-")


async def test_a_mark_lets_excel_see_utf_8(api: httpx.AsyncClient, desk: Desk, working: None) -> None:
    await add_tickets(desk, 1, subject="Grüße {0} 漢字")
    assert (await made(api, desk, byteOrderMark=True)).startswith(b'\xef\xbb\xbf"Number"')
    plain = await made(api, desk)
    assert plain.startswith(b'"Number"')
    assert rows_of(plain)[0]["Subject"] == "Grüße 1 漢字"


async def test_xlsx_and_pdf_are_made(api: httpx.AsyncClient, desk: Desk, working: None) -> None:
    await add_tickets(desk, 40, subject="=HYPERLINK({0}) <b>&")
    with zipfile.ZipFile(BytesIO(await made(api, desk, format="xlsx"))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == 41
    assert "<f>" not in sheet
    assert "=HYPERLINK(1) &lt;b&gt;&amp;" in sheet
    pdf = await made(api, desk, Role.ADMIN, format="pdf")
    assert pdf.startswith(b"%PDF-")
    assert pdf.count(b"/Type /Page\n") == 3


async def test_whoever_has_left_gets_nothing(
    api: httpx.AsyncClient, desk: Desk, files: Storage, valkey_url: str
) -> None:
    """The permission is asked again when the job runs."""
    await add_tickets(desk, 3)
    export_id = (await ask(api, desk)).json()["data"]["id"]
    async with transaction() as session:
        await session.execute(update(User).where(User.id == desk.agent.user_id).values(role=Role.CUSTOMER))
    await run_once(export_id, desk, valkey_url, expect="requestedBy: no active agent or administrator")
    export = await stored_export(export_id)
    assert export.state is ExportState.FAILED
    assert export.error == "requestedBy: no active agent or administrator of this organization"
    assert await stored_keys(files, desk) == set()
    assert await mails_to(desk) == []


async def run_once(export_id: str, desk: Desk, valkey_url: str, *, expect: str) -> None:
    """Add the export's job as the relay would, run it, and expect its failure."""
    async with toril.Queue("reports", url=valkey_url) as queue, app.worker_running({"reports": 1}):
        payload = {"organizationId": desk.organization_id, "reportType": "tickets", "filters": {},
                   "requestedBy": desk.agent.user_id}  # fmt: skip
        job = await queue.add("export", payload, job_id=f"export-{export_id}")
        with pytest.raises(toril.JobFailed, match=expect):
            await job.wait(timeout=15.0)
    await app.close()


async def test_the_briefs_payload_is_served_unchanged(
    api: httpx.AsyncClient, desk: Desk, working: None, valkey_url: str
) -> None:
    await add_tickets(desk, 12)
    payload = {"organizationId": desk.organization_id, "reportType": "tickets",
               "filters": {"status": "open"}, "requestedBy": desk.agent.user_id}  # fmt: skip
    async with toril.Queue("reports", url=valkey_url) as queue:
        job = await queue.add("export", payload)
        result = await job.wait(timeout=15.0)
    assert isinstance(result, dict)
    assert result["rows"] == 10
    listed = await api.get("/api/reports/exports", headers=desk.headers(Role.AGENT))
    [item] = listed.json()["data"]["items"]
    assert (item["state"], item["rowsTotal"], item["format"]) == ("done", 10, "csv")
    assert [mail.recipient for mail in await mails_to(desk)] == [desk.agent.email]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"requestedBy": "nobody"}, "requestedBy: no active agent or administrator of this organization"),
        ({"requestedBy": "customer"}, "requestedBy: no active agent or administrator of this organization"),
        ({"requestedBy": "stranger"}, "requestedBy: no active agent or administrator of this organization"),
        ({"reportType": "../etc/passwd"}, "reportType: "),
        ({"filters": {"status": "lost"}}, "filters.status.0: "),
        ({"filters": {"assigneeId": "stranger"}}, "filters.assigneeId: no such user"),
        ({"organizationId": 7}, "organizationId"),
    ],
)
async def test_a_payload_that_does_not_fit_fails_at_once_and_says_why(
    desk: Desk, other_desk: Desk, working: None, valkey_url: str, files: Storage,
    change: dict[str, object], reason: str,
) -> None:  # fmt: skip
    people = {"customer": desk.customer.user_id, "stranger": other_desk.admin.user_id}
    payload = {"organizationId": desk.organization_id, "reportType": "tickets", "filters": {},
               "requestedBy": desk.agent.user_id, **change}  # fmt: skip
    payload["requestedBy"] = people.get(str(payload["requestedBy"]), payload["requestedBy"])
    if payload["filters"] == {"assigneeId": "stranger"}:
        payload["filters"] = {"assigneeId": people["stranger"]}
    async with toril.Queue("reports", url=valkey_url) as queue:
        job = await queue.add("export", payload, attempts=3)
        with pytest.raises(toril.JobFailed, match=reason):
            await job.wait(timeout=15.0)
    assert await stored_keys(files, desk) == set()
    assert await mails_to(desk) == []


async def test_a_run_that_was_settled_by_nobody_is_run_again_without_a_second_mail(
    api: httpx.AsyncClient, desk: Desk, working: None, valkey_url: str, files: Storage
) -> None:
    await add_tickets(desk, 3)
    export_id = (await ask(api, desk)).json()["data"]["id"]
    await ended(api, desk, export_id)
    async with toril.Queue("reports", url=valkey_url) as queue:
        job = await queue.get_job(f"export-{export_id}")
        assert job is not None
        await job.wait(timeout=15.0)
        await job.remove()
        again = await queue.add("export", job.data, job_id=job.id)
        assert await again.wait(timeout=15.0) == {}
    assert len(await mails_to(desk)) == 1
    assert len(await stored_keys(files, desk)) == 1


async def test_a_storage_that_fails_is_told_and_tried_again(
    api: httpx.AsyncClient, desk: Desk, working: None, valkey_url: str, files: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await add_tickets(desk, 3)
    with storage_at(monkeypatch, "s3://k:s@desk/x?endpoint=http://127.0.0.1:9&region=eu"):
        export_id = (await ask(api, desk)).json()["data"]["id"]
        async with asyncio.timeout(20):
            while not (found := await view(api, desk, export_id))["error"]:
                await asyncio.sleep(0.05)
    assert found["state"] == "queued"
    assert str(found["error"]).startswith("the file storage failed: ")
    async with toril.Queue("reports", url=valkey_url) as queue:
        job = await queue.get_job(f"export-{export_id}")
        assert job is not None
        async with asyncio.timeout(10):
            while await job.get_state() is not toril.JobState.DELAYED:
                await asyncio.sleep(0.05)
        await job.promote()
    found = await ended(api, desk, export_id)
    assert (found["state"], found["error"]) == ("done", None)
    assert len(await mails_to(desk)) == 1


async def test_after_the_last_try_the_export_has_failed_and_left_no_file(
    api: httpx.AsyncClient, desk: Desk, working: None, valkey_url: str, files: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await add_tickets(desk, 3)

    async def broken(*_: object, **__: object) -> None:
        raise StorageFailed("the file storage failed: no space left")

    # The file is stored, but what was to follow breaks: the worst moment.
    monkeypatch.setattr(Storage, "stat", broken)
    payload = {"organizationId": desk.organization_id, "reportType": "tickets", "filters": {},
               "requestedBy": desk.agent.user_id}  # fmt: skip
    async with toril.Queue("reports", url=valkey_url) as queue:
        job = await queue.add("export", payload, attempts=1)
        with pytest.raises(toril.JobFailed, match="no space left"):
            await job.wait(timeout=15.0)
    listed = await api.get("/api/reports/exports", headers=desk.headers(Role.AGENT))
    [item] = listed.json()["data"]["items"]
    assert (item["state"], item["error"]) == ("failed", "the file storage failed: no space left")
    assert item["downloadUrl"] is None
    assert await stored_keys(files, desk) == set()
    assert await mails_to(desk) == []


@contextmanager
def storage_at(monkeypatch: pytest.MonkeyPatch, url: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("INSIGHTDESK_STORAGE_URL", url)
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


async def test_an_export_goes_to_a_bucket_and_comes_by_the_buckets_own_link(
    api: httpx.AsyncClient, desk: Desk, working: None, s3_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_tickets(desk, 3)
    url = f"s3://key:secret@desk/exported?endpoint={s3_address}&region=eu-central-1"
    with storage_at(monkeypatch, url):
        assert len(rows_of(await made(api, desk))) == 3
        export_id = (await ask(api, desk)).json()["data"]["id"]
        await ended(api, desk, export_id)
        monkeypatch.setenv("INSIGHTDESK_STORAGE_DIRECT", "true")
        get_settings.cache_clear()
        path = f"/api/reports/exports/{export_id}/download"
        answer = await api.get(path, headers=desk.headers(Role.AGENT))
        assert answer.status_code == 303
        async with httpx.AsyncClient() as client:
            direct = await client.get(answer.headers["location"])
        assert len(rows_of(direct.content)) == 3
        assert "attachment" in direct.headers["content-disposition"]


async def test_no_more_than_five_exports_of_one_person_are_under_way(
    api: httpx.AsyncClient, desk: Desk
) -> None:
    answers = [await ask(api, desk) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert (await ask(api, desk, Role.ADMIN)).status_code == 202


async def test_files_whose_time_is_over_and_files_of_nobody_are_collected(
    api: httpx.AsyncClient, desk: Desk, working: None, files: Storage, tmp_path: Path
) -> None:
    await add_tickets(desk, 2)
    export_id = (await ask(api, desk)).json()["data"]["id"]
    found = await ended(api, desk, export_id)
    orphan = f"exports/{desk.organization_id}/orphan.csv"
    source = tmp_path / "source"
    source.write_bytes(b"x")
    await files.put(orphan, source, content_type="text/csv", name="a.csv")
    now = clock.now()
    kept = {(await stored_export(export_id)).storage_key, orphan}
    await collect(database(), files, now)
    assert await stored_keys(files, desk) == kept
    # A day on, the orphan is old; the export lives for three days.
    result = await collect(database(), files, now + timedelta(days=1, minutes=1))
    assert result.orphans >= 1
    assert await stored_keys(files, desk) == kept - {orphan}
    await collect(database(), files, now + timedelta(days=3, minutes=1), batch=1)
    assert await stored_keys(files, desk) == set()
    assert (await stored_export(export_id)).state is ExportState.EXPIRED
    link = str(found["downloadUrl"])
    assert (await api.get(link[link.index("/files/") :])).status_code == 404
    answer = await api.get(f"/api/reports/exports/{export_id}/download", headers=desk.headers(Role.AGENT))
    assert answer.json()["error"] == "the export has no file: it is expired"


async def test_an_export_whose_job_was_lost_fails_after_a_day(
    api: httpx.AsyncClient, desk: Desk, files: Storage
) -> None:
    export_id = (await ask(api, desk)).json()["data"]["id"]
    await collect(database(), files, clock.now() + timedelta(hours=23))
    assert (await stored_export(export_id)).state is ExportState.QUEUED
    await collect(database(), files, clock.now() + timedelta(hours=25))
    export = await stored_export(export_id)
    assert (export.state, export.error) == (ExportState.FAILED, "the job was lost; ask again")


async def test_erasing_a_person_takes_the_organizations_files_away(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, working: None, files: Storage
) -> None:
    await add_tickets(desk, 2)
    await made(api, desk)
    await made(api, other_desk)
    async with transaction() as session:
        customer = desk.customer
        count = await service.erase_person(session, desk.organization_id, customer.user_id, customer.email)
    assert count == 1
    async with asyncio.timeout(15):
        while await stored_keys(files, desk):
            await asyncio.sleep(0.05)
    assert len(await stored_keys(files, other_desk)) == 1


async def test_an_export_under_way_when_a_person_is_erased_comes_to_nothing(
    api: httpx.AsyncClient, desk: Desk, working: None, files: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_tickets(desk, 2)
    put = Storage.put

    async def erased_meanwhile(self: Storage, *args: object, **named: object) -> object:
        async with transaction() as session:
            customer = desk.customer
            await service.erase_person(session, desk.organization_id, customer.user_id, customer.email)
        return await put(self, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Storage, "put", erased_meanwhile)
    found = await ended(api, desk, (await ask(api, desk)).json()["data"]["id"])
    assert (found["state"], found["error"]) == ("failed", "a person was erased meanwhile; ask again")
    async with asyncio.timeout(10):
        while await stored_keys(files, desk):
            await asyncio.sleep(0.05)
    assert await mails_to(desk) == []


async def test_the_number_of_queries_does_not_grow_with_the_rows(
    api: httpx.AsyncClient, desk: Desk, working: None
) -> None:
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *rest: object) -> None:
        if "FROM tickets" in statement or "users" in statement:
            statements.append(statement)

    counts = []
    for more in (10, 300):
        async with transaction() as session:
            await session.execute(update(Export).values(state=ExportState.EXPIRED))
        await add_more(desk, more)
        engine: Engine = database().engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        await made(api, desk)
        event.remove(engine, "before_cursor_execute", note)
        counts.append(len([text for text in statements if "FROM tickets" in text]))
        statements.clear()
    assert counts == [2, 2]


async def add_more(desk: Desk, count: int) -> None:
    async with transaction() as session:
        await session.execute(delete(Ticket).where(Ticket.organization_id == desk.organization_id))
    await add_tickets(desk, count)


def test_states_formats_and_reports_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "helpdesk" / "exports.md").read_text()
    for kind in (ExportState, ExportFormat, ReportType):
        for value in kind:
            assert f"`{value}`" in text


def test_the_name_of_a_download_is_plain() -> None:
    export = Export(report_type=ReportType.SLA_ATTAINMENT, format=ExportFormat.XLSX,
                    created_at=datetime(2026, 3, 29, tzinfo=UTC))  # fmt: skip
    assert export.file_name == "sla-attainment-2026-03-29.xlsx"
