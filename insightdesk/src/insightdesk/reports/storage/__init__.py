"""Files: kept in a folder or in a bucket, handed out by signed links that expire."""

from __future__ import annotations

from insightdesk.reports.storage.errors import BadKey, FileMissing, StorageError, StorageFailed
from insightdesk.reports.storage.links import LinkRefused, sign_link, verify_link
from insightdesk.reports.storage.store import Storage, StoredFile, storage

__all__ = [
    "BadKey",
    "FileMissing",
    "LinkRefused",
    "Storage",
    "StorageError",
    "StorageFailed",
    "StoredFile",
    "sign_link",
    "storage",
    "verify_link",
]
