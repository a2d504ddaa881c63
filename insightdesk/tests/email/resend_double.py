"""A real HTTP server that answers as Resend's API is documented to, and misbehaves when told."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "re_test"


@dataclass
class Answer:
    """What the next request gets instead of success."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    takes: bool = False
    hangs: float = 0.0
    cuts: bool = False


@dataclass
class ResendDouble:
    """The API's side.

    Attributes:
        mails: what was taken, by idempotency key.
        requests: path, headers and body of each request.
        plan: answers of the next requests.
    """

    url: str = ""
    mails: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    plan: deque[Answer] = field(default_factory=deque)

    def take(self, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """One mail a key: https://resend.com/docs/dashboard/emails/idempotency-keys."""
        known = self.mails.get(key)
        if known is not None and known["body"] != body:
            return 409, error(409, "invalid_idempotent_request", "Same key, other payload.")
        if known is None:
            known = {"id": f"49a3999c-0ce1-4ea6-ab68-{len(self.mails):012}", "body": body}
            self.mails[key or known["id"]] = known
        return 200, {"id": known["id"]}


def error(status: int, name: str, message: str) -> dict[str, Any]:
    """An error as https://resend.com/docs/api-reference/errors has it."""
    return {"statusCode": status, "name": name, "message": message}


@contextmanager
def resend_double() -> Iterator[ResendDouble]:
    """The server, while the block runs."""
    double = ResendDouble()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            double.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            planned = double.plan.popleft() if double.plan else Answer(takes=True)
            if self.headers.get("Authorization") != f"Bearer {KEY}":
                self.reply(401, error(401, "validation_error", "API key is invalid"))
                return
            status, answer = planned.status, planned.body
            if planned.takes:
                taken = double.take(self.headers.get("Idempotency-Key", ""), body)
                status, answer = taken if planned.status == 200 and planned.body is None else (status, answer)
            time.sleep(planned.hangs)
            if planned.cuts:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            self.reply(status, answer, planned.headers)

        def reply(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            wire = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(wire)))
            self.end_headers()
            try:
                self.wfile.write(wire)
            except OSError:
                self.close_connection = True  # the client has given up waiting, as it was meant to

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
