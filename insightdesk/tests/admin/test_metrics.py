"""What Prometheus is told of the helpdesk, and who may ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from desks import Desk
from prometheus_client.parser import text_string_to_metric_families
from promises import open_ticket
from sqlalchemy import text

from insightdesk.accounts.models import Role
from insightdesk.database import first_id, new_id, transaction
from insightdesk.kit import clock
from insightdesk.settings import get_settings
from insightdesk.tenancy import everyone

TOKEN = "for-prometheus"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def token(quiet_database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("INSIGHTDESK_METRICS_TOKEN", TOKEN)
    get_settings.cache_clear()
    yield
    monkeypatch.delenv("INSIGHTDESK_METRICS_TOKEN")
    get_settings.cache_clear()


async def read(api: httpx.AsyncClient) -> Samples:
    answer = await api.get("/metrics", headers=HEADERS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.mark.usefixtures("token")
async def test_promises_mails_outbox_and_queues_are_told(
    api: httpx.AsyncClient, desk: Desk, valkey_url: str
) -> None:
    await open_ticket(desk, clock.now())
    after = await read(api)  # what other tests have left is told too
    assert of(after, "insightdesk_sla_clocks", metric="resolution", state="running") >= 1
    assert of(after, "insightdesk_sla_clocks", metric="resolution", state="breached") >= 0
    assert of(after, "insightdesk_workers_alive") >= 0
    assert of(after, "insightdesk_mail_deliveries", state="failed") >= 0
    assert of(after, "toril_outbox_rows") > 0
    assert of(after, "toril_outbox_oldest_seconds") >= 0
    assert of(after, "toril_queue_jobs", queue="email", state="failed") >= 0
    for source in ("helpdesk", "outbox", "queues"):
        assert of(after, "toril_exporter_up", source=source) == 1


@pytest.mark.usefixtures("token")
async def test_series_do_not_grow_with_organizations(
    api: httpx.AsyncClient, desk: Desk, other_desk: Desk, valkey_url: str
) -> None:
    samples = await read(api)
    assert not [labels for _, labels in samples if desk.organization_id in str(labels)]
    assert len([name for name, _ in samples if name == "insightdesk_sla_clocks"]) == 12


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer", TOKEN + "x", "Bearer ž"])
async def test_who_does_not_bear_the_token_is_told_nothing(
    api: httpx.AsyncClient, desk: Desk, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = await api.get("/metrics", headers=headers)
    assert answer.status_code == 401
    assert "toril_" not in answer.text
    for role in Role:
        assert (await api.get("/metrics", headers=desk.headers(role))).status_code == 401


async def test_without_a_token_nobody_is_told(api: httpx.AsyncClient) -> None:
    for header in ("Bearer ", "", "Bearer"):
        assert (await api.get("/metrics", headers={"Authorization": header})).status_code == 401


@pytest.mark.usefixtures("token")
async def test_a_late_clock_and_an_open_circuit_are_seen(
    api: httpx.AsyncClient, desk: Desk, valkey_url: str
) -> None:
    await open_ticket(desk, clock.now())
    late = clock.now() - timedelta(seconds=90)
    name = f"smtp:{new_id()}"
    with everyone():
        async with transaction() as session:
            await session.execute(
                text(
                    "UPDATE sla_clocks SET due_at = :late, next_at = :late"
                    " WHERE organization_id = :desk AND metric = 'resolution'"
                ),
                {"late": late, "desk": desk.organization_id},
            )
            await session.execute(
                text("INSERT INTO mail_providers (name, failures, open_until) VALUES (:name, 3, :until)"),
                {"name": name, "until": clock.now() + timedelta(minutes=5)},
            )
    samples = await read(api)
    assert of(samples, "insightdesk_sla_clocks", metric="resolution", state="due") >= 1
    assert of(samples, "insightdesk_sla_behind_seconds") >= 90
    assert of(samples, "insightdesk_mail_circuit_open", provider=name) == 1


def test_ids_can_be_bounded_by_time() -> None:
    now = clock.now()
    made = new_id()
    assert first_id(now - timedelta(seconds=1)) < made < first_id(now + timedelta(seconds=1))


@pytest.mark.usefixtures("token")
async def test_the_page_lists_them_all(api: httpx.AsyncClient, valkey_url: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "helpdesk" / "operations.md").read_text()
    answer = await api.get("/metrics", headers=HEADERS)
    told = set(re.findall(r"^# TYPE (insightdesk_\w+) ", answer.text, re.MULTILINE))
    assert told == set(re.findall(r"^\| `(insightdesk_\w+)` \|", page, re.MULTILINE))
