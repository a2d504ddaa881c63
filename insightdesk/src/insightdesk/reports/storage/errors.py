"""What may go wrong with files.

StorageError
├── BadKey         the name of a file is none that we would give
├── FileMissing    there is no such file
└── StorageFailed  the storage is full, refuses or cannot be reached; another try may succeed
"""

from __future__ import annotations


class StorageError(Exception):
    """A file could not be stored, read or removed; the message is one line without secrets."""


class BadKey(StorageError):
    """The name of a file is none that we would give: path tricks, hidden files, odd characters."""


class FileMissing(StorageError):
    """There is no such file."""


class StorageFailed(StorageError):
    """The storage is full, refuses or cannot be reached; another try may succeed."""
