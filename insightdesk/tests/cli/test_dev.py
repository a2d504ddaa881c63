"""`insightdesk dev` from start to Ctrl-C, seen from outside: a ticket breaches, and everybody is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import socketio

from insightdesk.cli.history import NEWCOMER

COMMAND = [sys.executable, "-m", "insightdesk"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(look: Callable[[], Any], limit: float) -> Any:
    deadline = time.monotonic() + limit
    while not (found := look()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.2)
    return found


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    port = free_port()
    output = tmp_path / "output"
    with output.open("w") as out:
        process = subprocess.Popen(
            [*COMMAND, "dev", "--port", str(port)],
            env={**os.environ, "INSIGHTDESK_DATA_DIR": str(tmp_path / "data")},
            stdout=out,
            stderr=out,
            text=True,
        )
    try:
        eventually(lambda: "Ctrl-C stops" in output.read_text() or process.poll() is not None, 60)
        assert process.poll() is None, output.read_text()
        yield process, f"http://127.0.0.1:{port}", output
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def token(output: Path, role: str) -> dict[str, str]:
    lines = output.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.split()[:1] == [role])
    return {"Authorization": f"Bearer {lines[at + 1].split()[-1]}"}


@pytest.mark.slow
def test_from_ticket_to_breach_to_mail_to_a_clean_end(dev: tuple[subprocess.Popen[str], str, Path]) -> None:
    process, url, output = dev
    customer, agent, admin = (token(output, role) for role in ("customer", "agent", "admin"))
    agent_id = httpx.get(f"{url}/api/me", headers=agent).json()["data"]["userId"]
    heard: list[dict[str, str]] = []
    client = socketio.SimpleClient()
    client.connect(
        url, auth={"token": agent["Authorization"].removeprefix("Bearer ")}, transports=["websocket"]
    )
    body = {"subject": "Nothing works", "body": "Help!", "priority": "urgent"}
    ticket = httpx.post(f"{url}/api/tickets", headers=customer, json=body).json()["data"]
    httpx.patch(f"{url}/api/tickets/{ticket['id']}", headers=agent, json={"assigneeId": agent_id})

    def told() -> bool:
        answer = httpx.get(f"{url}/admin/emails", headers=admin, params={"pageSize": 100}).json()["data"]
        breached = [
            mail
            for mail in answer["items"]
            if mail["subject"] == "SLA breached: Nothing works" and mail["state"] == "sent"
        ]
        return {"agent@demo.example", "admin@demo.example"} <= {mail["recipient"] for mail in breached}

    eventually(told, 60)
    while {"ticketId": ticket["id"], "action": "sla_breach"} not in heard:
        name, event = client.receive(timeout=30)
        assert name == "notification"
        heard.append(event)
    client.disconnect()
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, output.read_text()
    assert [child for child in family if child.is_running()] == []
    assert "BREACH" in output.read_text()


@pytest.mark.slow
def test_the_demo_shows_what_takes_days(dev: tuple[subprocess.Popen[str], str, Path]) -> None:
    _, url, output = dev
    admin, agent = token(output, "admin"), token(output, "agent")

    def failed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{url}/admin/jobs/failed", headers=admin).json()["data"]
        return found

    eventually(lambda: len(failed()) == 2, 30)
    environment = {**os.environ, "INSIGHTDESK_DATA_DIR": str(output.parent / "data")}
    demo = [*COMMAND, "demo", "--url", url, "--seconds", "5"]
    told = subprocess.run(demo, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert {"exports      1", "replays      2"} <= set(told.stdout.splitlines())

    def templates() -> set[str]:
        answer = httpx.get(f"{url}/admin/emails", headers=admin, params={"pageSize": 100}).json()["data"]
        return {mail["template"] for mail in answer["items"] if mail["state"] == "sent"}

    days = {
        "auto_close_warning", "ticket_closed", "daily_digest", "dead_letter_alert", "report_ready",
        "sla_warning", "sla_breach",
    }  # fmt: skip
    eventually(lambda: days <= templates(), 30)
    replayed = eventually(lambda: [each for each in failed() if each["replayOf"]], 30)
    assert [each["name"] for each in replayed] == ["send"]
    # The other replay succeeds: its cause was mended.

    def to_the_newcomer() -> list[str]:
        answer = httpx.get(f"{url}/admin/emails", headers=admin, params={"to": NEWCOMER}).json()["data"]
        return [mail["template"] for mail in answer["items"]]

    assert eventually(to_the_newcomer, 30) == ["report_ready"]

    def told() -> set[str]:
        answer = httpx.get(f"{url}/api/notifications", headers=agent, params={"pageSize": 100}).json()["data"]
        return {each["action"] for each in answer["items"]}

    eventually(lambda: {"sla_warning", "sla_breach", "sla_escalated"} <= told(), 30)
    listed = httpx.get(f"{url}/api/tickets", headers=agent, params={"pageSize": 100}).json()["data"]["items"]
    priorities = {each["subject"]: each["priority"] for each in listed}
    assert priorities["The printer on the third floor smokes"] in ("high", "urgent")  # it began as normal


@pytest.mark.slow
def test_a_socket_without_a_token_is_refused(dev: tuple[subprocess.Popen[str], str, Path]) -> None:
    _, url, _ = dev
    with socketio.SimpleClient() as client, pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(url, auth={"token": "wrong"}, transports=["websocket"])


NODE = Path(__file__).parents[3] / "tests" / "node"


@pytest.mark.node
def test_the_npm_client_hears_of_a_breach(dev: tuple[subprocess.Popen[str], str, Path]) -> None:
    if shutil.which("node") is None or not (NODE / "node_modules" / "socket.io-client").is_dir():
        message = "Node or its packages are missing: cd tests/node && npm install"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    _, url, output = dev
    customer, agent = token(output, "customer"), token(output, "agent")
    agent_id = httpx.get(f"{url}/api/me", headers=agent).json()["data"]["userId"]
    bearer = agent["Authorization"].removeprefix("Bearer ")
    command = ["node", "socket.mjs", url, bearer]
    with subprocess.Popen(command, cwd=NODE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        try:
            assert client.stdout.readline() == "connected\n"
            body = {"subject": "Nothing works", "body": "Help!", "priority": "urgent"}
            ticket = httpx.post(f"{url}/api/tickets", headers=customer, json=body).json()["data"]
            httpx.patch(f"{url}/api/tickets/{ticket['id']}", headers=agent, json={"assigneeId": agent_id})
            # The reader ends with the client, and the client is ended by the watch below.
            watch = threading.Timer(90, client.kill)
            watch.start()
            breach = {"ticketId": ticket["id"], "action": "sla_breach"}
            lines = iter(client.stdout.readline, "")
            assert any(json.loads(line).items() >= breach.items() for line in lines)
            watch.cancel()
        finally:
            client.kill()
