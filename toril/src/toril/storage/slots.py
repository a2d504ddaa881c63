"""Which of a Cluster's 16,384 slots a key belongs to."""

from __future__ import annotations

import binascii

SLOTS = 16_384


def hash_tag(key: str) -> str | None:
    """What stands between the first pair of braces: keys that share it share a slot. None if nothing does."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return tag if opened and closed and tag else None


def slot_of(key: str) -> int:
    """The slot of a key: CRC16 (XMODEM) of its hash tag, else of all of it."""
    return binascii.crc_hqx((hash_tag(key) or key).encode(), 0) % SLOTS
