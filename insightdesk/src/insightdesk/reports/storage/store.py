"""The storage: puts, gets, lists and deletes files as streams, the same for a folder and for a bucket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from insightdesk.reports.places import Folder, place_of
from insightdesk.reports.storage.errors import FileMissing, StorageFailed
from insightdesk.reports.storage.keys import check_key
from insightdesk.reports.storage.source import Source, read_file
from insightdesk.settings import Settings, get_settings

PART = 8 * 1024 * 1024
"""Bytes of a part of an upload: S3 takes at most 10,000 parts, so a file may have 80 GB."""
_PARTS_AT_ONCE = 2  # bounds the memory of an upload: PART times this
_TAKE_BACK = 10.0  # seconds for a cancelled upload to take its parts back
_CHUNK = 256 * 1024  # bytes of a download handed on at a time


@dataclass(frozen=True)
class StoredFile:
    """A file that is there.

    Attributes:
        size: in bytes.
        modified_at: when it was put.
    """

    key: str
    size: int
    modified_at: datetime


class Storage:
    """Files under keys. A file appears whole or not at all."""

    def __init__(self, store: LocalStore | S3Store) -> None:
        self._store = store

    @classmethod
    def of(cls, settings: Settings) -> Storage:
        """The storage that the settings name: by default a folder of the data directory."""
        if not settings.storage_url:
            return cls(Folder(settings.data_dir.resolve() / "files").open())
        secret_key = settings.storage_secret_key
        place = place_of(
            settings.storage_url,
            endpoint=settings.storage_endpoint or None,
            region=settings.storage_region or None,
            access_key=settings.storage_access_key or None,
            secret_key=secret_key.get_secret_value() or None,
        )
        return cls(place.open())

    async def put(
        self, key: str, content: AsyncIterable[bytes] | Path, *, content_type: str, name: str
    ) -> StoredFile:
        """Store a stream, or a file of this machine, in parts; what was there is replaced at the end.

        When it fails or is cancelled, the parts that were sent are taken back.

        Args:
            content_type: What a bucket says of it when it hands it out itself.
            name: What browsers save it as in that case.

        Raises:
            BadKey: No file can have this key.
            StorageFailed: The storage is full, refuses or cannot be reached.
        """
        attributes = {"Content-Type": content_type, "Content-Disposition": f'attachment; filename="{name}"'}
        source = Source(read_file(content, PART) if isinstance(content, Path) else content)
        upload = asyncio.ensure_future(
            obstore.put_async(
                self._store,
                check_key(key),
                source,
                # A folder has no place for them.
                attributes=attributes if isinstance(self._store, S3Store) else None,
                chunk_size=PART,
                max_concurrency=_PARTS_AT_ONCE,
            )
        )
        try:
            await asyncio.shield(upload)
        except asyncio.CancelledError:
            source.break_off()
            await asyncio.wait({upload}, timeout=_TAKE_BACK)
            raise
        except (BaseError, OSError) as error:
            raise _failed(error) from error
        return await self.stat(key)

    async def stat(self, key: str) -> StoredFile:
        """What is known of a file.

        Raises:
            BadKey, FileMissing, StorageFailed: see their texts.
        """
        try:
            meta = await obstore.head_async(self._store, check_key(key))
        except FileNotFoundError as error:
            raise FileMissing("there is no such file") from error
        except (BaseError, OSError) as error:
            raise _failed(error) from error
        return StoredFile(key, meta["size"], meta["last_modified"])

    async def get(self, key: str) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """A file and its bytes, read as they are asked for.

        Raises:
            BadKey, FileMissing, StorageFailed: see their texts.
        """
        try:
            found = await obstore.get_async(self._store, check_key(key))
        except FileNotFoundError as error:
            raise FileMissing("there is no such file") from error
        except (BaseError, OSError) as error:
            raise _failed(error) from error

        async def stream() -> AsyncIterator[bytes]:
            try:
                async for chunk in found.stream(min_chunk_size=_CHUNK):
                    yield bytes(chunk)
            except (BaseError, OSError) as error:
                raise _failed(error) from error

        return StoredFile(key, found.meta["size"], found.meta["last_modified"]), stream()

    async def delete(self, keys: Collection[str]) -> None:
        """Remove files; one that is not there is no error.

        Raises:
            BadKey, StorageFailed: see their texts.
        """
        for key in keys:
            try:
                await obstore.delete_async(self._store, check_key(key))
            except FileNotFoundError:
                continue
            except (BaseError, OSError) as error:
                raise _failed(error) from error

    async def files(self, prefix: str) -> AsyncIterator[list[StoredFile]]:
        """The files below a prefix, as the storage orders them, some hundreds at a time.

        Raises:
            BadKey, StorageFailed: see their texts.
        """
        try:
            async for page in obstore.list(self._store, check_key(prefix), chunk_size=500):
                yield [StoredFile(meta["path"], meta["size"], meta["last_modified"]) for meta in page]
        except (BaseError, OSError) as error:
            raise _failed(error) from error

    async def presign(self, key: str, lifetime: timedelta) -> str | None:
        """A link of the bucket's own that reads the file until it expires; None for a folder."""
        if not isinstance(self._store, S3Store):
            return None
        return await obstore.sign_async(self._store, "GET", check_key(key), lifetime)

    async def sweep_parts(self, older_than: datetime) -> int:
        """Remove what processes that were killed in mid-upload left in a folder.

        In a bucket such parts are not listed: give it a rule that aborts incomplete uploads.

        Returns:
            How many files were removed.
        """
        if not isinstance(self._store, LocalStore) or self._store.prefix is None:
            return 0
        return await asyncio.to_thread(_sweep, Path(self._store.prefix), older_than)


def _sweep(folder: Path, older_than: datetime) -> int:
    removed = 0
    for path in folder.rglob("*#*"):  # object stores of this kind write to NAME#1 and rename at the end
        if path.is_file() and path.stat().st_mtime < older_than.timestamp():
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _failed(error: Exception) -> StorageFailed:
    """One line of what the library tells; what follows its first line is for its own developers."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return StorageFailed(f"the file storage failed: {first[:300]}")


@lru_cache(maxsize=4)
def _opened(settings: Settings) -> Storage:
    return Storage.of(settings)


def storage() -> Storage:
    """The storage of this process's settings."""
    return _opened(get_settings())
