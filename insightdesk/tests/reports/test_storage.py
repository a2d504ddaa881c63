"""Files in a folder and in a bucket (moto's S3 server over HTTP): the same promises for both."""

from __future__ import annotations

import asyncio
import errno
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insightdesk.reports.places import Bucket, Folder, place_of
from insightdesk.reports.storage import BadKey, FileMissing, Storage, StorageFailed
from insightdesk.reports.storage.keys import check_key

MEGABYTE = 1 << 20


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """The storage, as either kind; each test has a folder or a prefix of its own."""
    if request.param == "folder":
        return Storage(Folder(tmp_path / "files").open())
    return Storage(bucket(request.getfixturevalue("s3_address"), tmp_path.name).open())


def bucket(address: str, prefix: str) -> Bucket:
    place = place_of(f"s3://key:se%2Fcret@desk/{prefix}?endpoint={address}&region=eu-central-1")
    assert isinstance(place, Bucket)
    return place


async def megabytes(count: int, *, broken_after: int | None = None) -> AsyncIterator[bytes]:
    """Distinct megabytes; the source breaks off after some of them."""
    for number in range(count):
        if number == broken_after:
            raise OSError(errno.EIO, "the source broke off")
        yield bytes([number]) * MEGABYTE


async def put(store: Storage, key: str, content: AsyncIterator[bytes] | Path) -> int:
    return (await store.put(key, content, content_type="text/csv", name="report.csv")).size


async def read(store: Storage, key: str) -> bytes:
    _, chunks = await store.get(key)
    return b"".join([chunk async for chunk in chunks])


def on_disk(folder: Path) -> list[str]:
    """The names of all files below the folder, unfinished ones too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def names(store: Storage, prefix: str) -> list[str]:
    return sorted([file.key async for page in store.files(prefix) for file in page])


async def test_a_stream_is_stored_in_parts_and_read_as_a_stream(store: Storage) -> None:
    assert await put(store, "exports/a/big.csv", megabytes(20)) == 20 * MEGABYTE
    found, chunks = await store.get("exports/a/big.csv")
    sizes, whole = [], bytearray()
    async for chunk in chunks:
        sizes.append(len(chunk))
        whole += chunk
    assert found.size == len(whole) == 20 * MEGABYTE
    assert whole == b"".join([chunk async for chunk in megabytes(20)])
    assert max(sizes) < 4 * MEGABYTE


async def test_a_file_of_this_machine_is_stored(store: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * (9 * MEGABYTE))
    assert await put(store, "exports/one.csv", source) == 9 * MEGABYTE
    assert await read(store, "exports/one.csv") == source.read_bytes()


async def test_files_are_listed_and_deleted_below_their_prefix(store: Storage) -> None:
    for key in ("exports/a/1.csv", "exports/a/2.csv", "exports/ab/3.csv", "other/4.csv"):
        await put(store, key, megabytes(1))
    assert await names(store, "exports/a") == ["exports/a/1.csv", "exports/a/2.csv"]
    await store.delete(["exports/a/1.csv", "exports/a/never-was.csv"])
    assert await names(store, "exports") == ["exports/a/2.csv", "exports/ab/3.csv"]
    with pytest.raises(FileMissing):
        await store.get("exports/a/1.csv")


async def test_a_source_that_breaks_off_leaves_nothing_and_the_old_file_stands(
    store: Storage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await put(store, "exports/a.csv", megabytes(1))
    for key in ("exports/a.csv", "exports/b.csv"):
        with pytest.raises(StorageFailed, match="broke off"):
            await put(store, key, megabytes(20, broken_after=18))
    assert await names(store, "exports") == ["exports/a.csv"]
    assert len(await read(store, "exports/a.csv")) == MEGABYTE
    await _nothing_unfinished(store, tmp_path, request)


async def test_a_cancelled_upload_leaves_nothing(
    store: Storage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for chunk in megabytes(18):
            yield chunk
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(put(store, "exports/a.csv", endless()))
    await begun.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    await _nothing_unfinished(store, tmp_path, request)
    assert await names(store, "exports") == []


async def _nothing_unfinished(store: Storage, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """No part of a broken upload is left; taking parts back may end a moment after the failure is told."""
    folder = "folder" in request.node.name

    async def unfinished() -> list[str]:
        if folder:
            return [name for name in on_disk(tmp_path) if "#" in name]
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{request.getfixturevalue('s3_address')}/desk?uploads")
        return [key for key in answer.text.split("<Key>")[1:] if key.startswith(tmp_path.name)]

    async with asyncio.timeout(5):
        while await unfinished():
            await asyncio.sleep(0.1)


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file of this process grows beyond `limit` bytes: the system refuses the write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    store = Storage(Folder(tmp_path).open())
    with full_disk(12 * MEGABYTE), pytest.raises(StorageFailed) as caught:
        await put(store, "exports/a.csv", megabytes(30))
    assert "\n" not in str(caught.value)
    assert on_disk(tmp_path) == []
    assert await put(store, "exports/a.csv", megabytes(2)) == 2 * MEGABYTE


async def test_a_bucket_that_is_gone_is_told_in_one_line_without_its_key() -> None:
    store = Storage(bucket("http://127.0.0.1:9", "x").open())
    with pytest.raises(StorageFailed) as caught:
        await put(store, "exports/a.csv", megabytes(1))
    assert "\n" not in str(caught.value)
    assert "cret" not in str(caught.value)


async def test_what_a_killed_process_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    store = Storage(Folder(tmp_path).open())
    await put(store, "exports/a.csv", megabytes(1))
    (tmp_path / "exports" / "b.csv#1").write_bytes(b"half")
    now = datetime.now(UTC)
    assert await names(store, "exports") == ["exports/a.csv"]
    assert await store.sweep_parts(now - timedelta(days=1)) == 0
    assert await store.sweep_parts(now + timedelta(days=1)) == 1
    assert on_disk(tmp_path) == ["a.csv"]


async def test_a_buckets_own_link_reads_the_file_under_its_name(s3_address: str) -> None:
    store = Storage(bucket(s3_address, "direct").open())
    await put(store, "exports/a.csv", megabytes(1))
    url = await store.presign("exports/a.csv", timedelta(seconds=60))
    assert url is not None
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
    assert answer.content == b"\0" * MEGABYTE
    assert answer.headers["content-disposition"] == 'attachment; filename="report.csv"'


PATH_TRICKS = [
    "", "/", "/etc/passwd", "..", "../secret", "a/../../secret", "a//b", "a/", "./a", ".hidden", "a/.ssh/id",
    "a\\..\\b", "a\0b", "a\nb", "a/%2e%2e/b", "a#1", "a b", "~/a", "C:a", "a/b?x=1", "\u2025/a", "é",
    "a..b", "a" * 501,
]  # fmt: skip


@pytest.mark.parametrize("key", PATH_TRICKS)
async def test_path_tricks_are_refused_by_every_call(key: str, tmp_path: Path) -> None:
    store = Storage(Folder(tmp_path).open())
    with pytest.raises(BadKey):
        await put(store, key, megabytes(1))
    with pytest.raises(BadKey):
        await store.get(key)
    with pytest.raises(BadKey):
        await store.delete([key])
    with pytest.raises(BadKey):
        await names(store, key)
    assert on_disk(tmp_path) == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("a.B0_-/\\%#\0 \n~"), max_size=12))
def test_a_key_that_is_taken_never_leaves_its_folder(key: str) -> None:
    try:
        check_key(key)
    except BadKey:
        return
    inside = Path("/files", key)
    assert inside.resolve() == inside
    assert inside.is_relative_to("/files")
    assert not any(part.startswith(".") for part in inside.parts)


@pytest.mark.parametrize(
    "url",
    [
        "/srv/files", "file:relative", "file://host/srv", "s3://", "s3:///prefix", "gs://bucket",
        "s3://key@bucket", "s3://bucket?colour=blue", "s3://bucket?endpoint=ftp://x", "s3://[bucket",
    ],
)  # fmt: skip
def test_a_malformed_storage_url_is_one_clear_line(url: str) -> None:
    with pytest.raises(ValueError, match=r"it looks like|both halves|known are|not a usable URL") as caught:
        place_of(url)
    assert "\n" not in str(caught.value)


def test_settings_fill_in_what_the_url_does_not_say() -> None:
    place = place_of(
        "s3://desk/a/b/", endpoint="https://s3.test", region="eu", access_key="k", secret_key="s"
    )
    assert place == Bucket("desk", "a/b", "https://s3.test", "eu", "k", "s")
    assert "secret_key" not in repr(place)
    assert place_of("file:///srv/my%20files") == Folder(Path("/srv/my files"))
