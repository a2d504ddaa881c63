"""The names of files: a few plain words with slashes between them, the same for every storage."""

from __future__ import annotations

import re

from insightdesk.reports.storage.errors import BadKey

_MAX_LENGTH = 500  # S3 allows 1,024 bytes, prefix included
_SEGMENT = r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*"
_NAME = re.compile(_SEGMENT)
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


def check_key(key: str) -> str:
    """Return ``key`` if it is one.

    What is allowed is listed, not what is forbidden: no segment is empty, starts with a dot, or has
    anything but ASCII letters, digits, ``_``, ``-`` and single inner dots.

    Raises:
        BadKey: It is not.
    """
    if len(key) > _MAX_LENGTH or not _KEY.fullmatch(key):
        raise BadKey(f"no file can have the name {key[:80]!r}")
    return key


def check_name(name: str) -> str:
    """Return ``name`` if a download may be called so: one segment of a key.

    Raises:
        BadKey: It may not.
    """
    if len(name) > _MAX_LENGTH or not _NAME.fullmatch(name):
        raise BadKey(f"no file can have the name {name[:80]!r}")
    return name
