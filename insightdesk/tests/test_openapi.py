"""The OpenAPI document is true: a generator of requests (schemathesis) finds nothing against it on a real
server: no 5xx, no undocumented status, type or shape, no route that ignores its login."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import schemathesis
import uvicorn
from desks import Desk, make_desk
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from insightdesk.accounts.models import Role
from insightdesk.database import close_database
from insightdesk.main import create_app

EXAMPLES = 10
"""Requests to each route: CI has minutes."""

# That a request fits its schema does not mean that it is taken: an id of nobody, a NUL in a text, an end
# before its start are refused with 422. And some that do not fit are taken: "5" for 5, as a form sends it.
BEYOND_SCHEMAS = [positive_data_acceptance, negative_data_rejection]

# `/ready` answers 503 where no worker runs, as here; `test_ready_when_all_is_there` has it.
document = schemathesis.openapi.from_dict(create_app().openapi()).exclude(path="/ready")


@pytest.fixture(scope="module")
def served(database_url: str, valkey_url: str) -> Iterator[tuple[str, Desk]]:
    """The API on a port of its own, in a thread, and an organization to use it with."""

    async def desk() -> Desk:
        made = await make_desk()
        await close_database()
        return made

    made = asyncio.run(desk())
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="error", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not server.started:
                assert thread.is_alive()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}", made
        finally:
            server.should_exit = True
            thread.join(20)


@document.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_document_is_true(case: schemathesis.Case, served: tuple[str, Desk]) -> None:
    url, desk = served
    case.call_and_validate(
        base_url=url, headers=desk.headers(Role.ADMIN), excluded_checks=BEYOND_SCHEMAS, timeout=20
    )
