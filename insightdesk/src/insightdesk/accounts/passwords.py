"""Secrets of people and programs: password hashes, bearer tokens, signed sessions."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
# Verified when a user is unknown, so that the time of an answer does not tell who exists.
_UNKNOWN = _hasher.hash(secrets.token_urlsafe(16))

TOKEN_PREFIX = "idk_"


async def hash_password(password: str) -> str:
    """Argon2id; slow by intent, so it runs in a thread."""
    return await asyncio.to_thread(_hasher.hash, password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether ``password`` is the one; takes as long when there is no hash."""

    def verify() -> bool:
        try:
            return _hasher.verify(password_hash or _UNKNOWN, password)
        except (VerificationError, InvalidHashError):
            return False

    return await asyncio.to_thread(verify) and password_hash is not None


def new_token() -> str:
    """A bearer token of 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of a token. It is random, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def sign_session(secret: str, user_id: str, expires_at: int) -> str:
    """A cookie's value: who, until when (Unix seconds), and our signature."""
    payload = base64.urlsafe_b64encode(f"{user_id}|{expires_at}".encode()).decode()
    return f"{payload}.{_signature(secret, payload)}"


def read_session(secret: str, cookie: str, now: float) -> str | None:
    """The user id of a cookie that we signed and that has not expired (``now``: Unix seconds)."""
    payload, _, signature = cookie.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(secret, payload).encode()):
        return None
    user_id, _, expires_at = base64.urlsafe_b64decode(payload).decode().partition("|")
    return user_id if now < int(expires_at) else None


def _signature(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), f"session:{payload}".encode(), hashlib.sha256).hexdigest()
