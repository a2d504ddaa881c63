"""Signed links: they open one file until they expire, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from insightdesk.reports.storage import BadKey, LinkRefused, Storage, sign_link, verify_link

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
SECRET = "a secret for tests"


async def one_file(files: Storage, key: str) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"number,subject\r\n"
        yield b"1,Printer\r\n"

    await files.put(key, content(), content_type="text/csv", name="tickets.csv")


async def test_a_link_opens_its_file_until_it_expires(api: httpx.AsyncClient, files: Storage) -> None:
    await one_file(files, "exports/o1/e1.csv")
    link = sign_link(SECRET, "exports/o1/e1.csv", name="tickets.csv", expires_at=NOW + timedelta(hours=1))
    with time_machine.travel(NOW, tick=False):
        answer = await api.get(link)
    assert answer.status_code == 200
    assert answer.content == b"number,subject\r\n1,Printer\r\n"
    assert answer.headers["content-disposition"] == 'attachment; filename="tickets.csv"'
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answer.headers["cache-control"]
    with time_machine.travel(NOW + timedelta(minutes=59, seconds=59), tick=False):
        assert (await api.get(link)).status_code == 200
    for late in (timedelta(hours=1), timedelta(days=400)):
        with time_machine.travel(NOW + late, tick=False):
            replayed = await api.get(link)
        assert replayed.status_code == 403
        assert replayed.json() == {"success": False, "error": "the link is not valid, or has expired"}


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("expires", "99999999999"), ("expires", "0"), ("name", "other.csv"), ("signature", "0" * 64),
        ("signature", ""), ("signature", "é"), ("path", "/files/exports/o2/e1.csv"),
        ("path", "/files/exports/o1/../o2/e1.csv"), ("path", "/files//etc/passwd"),
        ("path", "/files/%2e%2e/%2e%2e/etc/passwd"),
    ],
)  # fmt: skip
async def test_an_altered_link_is_refused(
    api: httpx.AsyncClient, files: Storage, part: str, value: str
) -> None:
    for key in ("exports/o1/e1.csv", "exports/o2/e1.csv"):
        await one_file(files, key)
    parts = urlsplit(sign_link(SECRET, "exports/o1/e1.csv", name="tickets.csv", expires_at=NOW))
    query = dict(parse_qsl(parts.query))
    path = value if part == "path" else parts.path
    if part != "path":
        query[part] = value
    with time_machine.travel(NOW - timedelta(minutes=5), tick=False):
        answer = await api.get(f"{path}?{urlencode(query)}")
    assert answer.status_code in (403, 404)  # 404: the client itself resolved the path to another route
    assert answer.json()["success"] is False


async def test_a_link_without_its_parts_is_refused(api: httpx.AsyncClient, files: Storage) -> None:
    await one_file(files, "exports/o1/e1.csv")
    assert (await api.get("/files/exports/o1/e1.csv")).status_code == 422


async def test_a_good_link_to_a_file_that_is_gone_says_so(api: httpx.AsyncClient, files: Storage) -> None:
    link = sign_link(
        SECRET, "exports/gone.csv", name="a.csv", expires_at=datetime.now(UTC) + timedelta(hours=1)
    )
    answer = await api.get(link)
    assert answer.status_code == 404
    assert answer.json()["error"] == "there is no such file; it may have expired"


@pytest.mark.parametrize(
    ("key", "name"), [("../x", "a.csv"), ("a/b", "../a.csv"), ("a/b", 'a".csv'), ("a", "a\r\nb")]
)
def test_path_tricks_are_not_signed(key: str, name: str) -> None:
    with pytest.raises(BadKey):
        sign_link(SECRET, key, name=name, expires_at=NOW)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=8), st.text(max_size=8), st.integers(0, 2**40), st.text(max_size=64))
def test_nothing_but_our_own_signature_opens_a_file(
    key: str, name: str, expires: int, signature: str
) -> None:
    with pytest.raises(LinkRefused):
        verify_link(SECRET, key, name=name, expires=expires, signature=signature, now=NOW)


def test_another_secret_signs_nothing_for_us() -> None:
    link = sign_link("another secret", "a/b.csv", name="b.csv", expires_at=NOW)
    query = dict(parse_qsl(urlsplit(link).query))
    with pytest.raises(LinkRefused):
        verify_link(SECRET, "a/b.csv", name="b.csv", expires=int(query["expires"]),
                    signature=query["signature"], now=NOW - timedelta(hours=1))  # fmt: skip
