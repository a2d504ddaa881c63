"""What tests of exports share: a storage of the test's own, workers, tickets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from insightdesk.database import database
from insightdesk.reports.storage import Storage, storage
from insightdesk.settings import get_settings
from insightdesk.worker import app
from toril import outbox


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Iterator[Storage]:
    """The application's storage in a folder of the test's own."""
    monkeypatch.setenv("INSIGHTDESK_STORAGE_URL", f"file://{tmp_path}/files")
    get_settings.cache_clear()
    yield storage()
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
async def working(db: None, files: Storage, valkey_url: str) -> AsyncIterator[None]:
    """Workers for exports and mails, and the outbox's relay, in the background."""
    relay = outbox.OutboxRelay(database().engine, url=valkey_url)
    relaying = asyncio.create_task(relay.run())
    async with app.worker_running({"reports": 2, "cleanup": 1, "email": 5}):
        yield
    relay.stop()
    await relaying
    await app.close()


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """A real S3 server with the bucket `desk`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    address = f"http://127.0.0.1:{port}"
    place = "<LocationConstraint>eu-central-1</LocationConstraint>"
    where = f"<CreateBucketConfiguration>{place}</CreateBucketConfiguration>"
    credential = "AWS4-HMAC-SHA256 Credential=key/20260101/eu-central-1/s3/aws4_request"
    httpx.put(f"{address}/desk", content=where, headers={"Authorization": credential}).raise_for_status()
    yield address
    server.stop()
