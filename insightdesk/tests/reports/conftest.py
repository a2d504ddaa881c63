"""What tests of exports share: a bucket."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from moto.server import ThreadedMotoServer


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
