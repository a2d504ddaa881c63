"""A small OpenTelemetry collector: takes OTLP over HTTP, writes the file of the Collector's file exporter.

One line for each request, which is OTLP/JSON: ids in hexadecimal, enums as numbers.
"""

from __future__ import annotations

import base64
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDS = ("traceId", "spanId", "parentSpanId")


class Collector:
    """Listens at a free port while its block runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self._body()
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                kind = self.headers["Content-Type"]
                with lock, path.open("a") as file:
                    file.write(json.dumps(json.loads(body) if "json" in kind else from_protobuf(body)) + "\n")
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers["Content-Length"]))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def from_protobuf(body: bytes) -> dict[str, Any]:
    """The same request as OTLP/JSON has it."""
    message = ExportTraceServiceRequest.FromString(body)
    request: dict[str, Any] = MessageToDict(message, use_integers_for_enums=True)
    for group in request["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                for one in (span, *span.get("links", ())):
                    one.update({key: base64.b64decode(one[key]).hex() for key in IDS if key in one})
    return request


def spans_of(path: Path) -> list[dict[str, Any]]:
    """All spans of a collector's file, with their service and their attributes as plain values."""
    found = []
    for line in path.read_text().splitlines():
        for group in json.loads(line)["resourceSpans"]:
            service = attributes_of(group["resource"]).get("service.name")
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    found.append({**span, "service": service, "attributes": attributes_of(span)})
    return found


def attributes_of(thing: dict[str, Any]) -> dict[str, Any]:
    """Attributes by their keys."""
    return {
        each["key"]: next(iter(each["value"].values()), None) if each["value"] else None
        for each in thing.get("attributes", ())
    }
