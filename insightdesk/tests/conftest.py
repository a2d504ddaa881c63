"""Real servers for the whole session; tests keep apart by making an organization of their own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# Named before anything of insightdesk is imported, since the Toril app takes its address on import.
VALKEY_PORT = _free_port()
VALKEY_URL = f"valkey://127.0.0.1:{VALKEY_PORT}/0"
os.environ["TORIL_URL"] = os.environ["INSIGHTDESK_VALKEY_URL"] = VALKEY_URL
os.environ["INSIGHTDESK_SECRET"] = "a secret for tests"

# Tests are imported by path, so what they share is put on the path here.
sys.path.insert(0, str(Path(__file__).parent))

import httpx  # noqa: E402
from databases import migrated_database  # noqa: E402
from desks import Desk, make_desk  # noqa: E402

import toril  # noqa: E402
from insightdesk import jobs  # noqa: E402
from insightdesk.database import close_database, database  # noqa: E402
from insightdesk.embedded import postgres  # noqa: E402
from insightdesk.main import create_app  # noqa: E402
from insightdesk.migrations import migrate  # noqa: E402
from insightdesk.realtime.emitter import close_emitter  # noqa: E402
from insightdesk.reports.storage import Storage, storage  # noqa: E402
from insightdesk.settings import get_settings  # noqa: E402
from insightdesk.worker import app  # noqa: E402
from toril import outbox  # noqa: E402


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """An empty server of the session's own."""
    # Not below pytest's folder: each pytest that starts closes it to the account that PostgreSQL runs as.
    with (
        tempfile.TemporaryDirectory(prefix="insightdesk-tests-") as folder,
        postgres(Path(folder) / "data") as url,
    ):
        yield url


@pytest.fixture(scope="session")
def database_url(postgres_url: str) -> str:
    """The migrated database, which the settings now name."""
    migrate(postgres_url)
    os.environ["INSIGHTDESK_DATABASE_URL"] = postgres_url
    get_settings.cache_clear()
    return postgres_url


@pytest.fixture(scope="session")
def quiet_database_url(postgres_url: str) -> Iterator[str]:
    """A second migrated database on that server."""
    with migrated_database(postgres_url) as url:
        yield url


@pytest.fixture
def quiet_database(
    database_url: str, quiet_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The settings name a database without other tests' organizations, and without the jobs that those left
    in its outbox: for what looks at all of them, or waits for what a relay moves."""
    monkeypatch.setenv("INSIGHTDESK_DATABASE_URL", quiet_database_url)
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Valkey at the address that the settings name."""
    with toril.embedded(tmp_path_factory.mktemp("valkey"), port=VALKEY_PORT) as url:
        yield url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[None]:
    """The database and the app's queues, with connections that end with the test's event loop."""
    yield
    await jobs.app.close()
    await close_emitter()
    await close_database()


@pytest.fixture
async def desk(db: None) -> Desk:
    """The test's own organization."""
    return await make_desk()


@pytest.fixture
async def other_desk(db: None) -> Desk:
    """Another organization, which must see nothing."""
    return await make_desk()


@pytest.fixture
async def api(db: None) -> AsyncIterator[httpx.AsyncClient]:
    """The application, without a server."""
    transport = httpx.ASGITransport(create_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        yield client
    await jobs.app.close()


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
