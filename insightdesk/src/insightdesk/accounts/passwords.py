"""Secrets of people and programs: password hashes, random tokens and what is kept of them."""

from __future__ import annotations

import asyncio
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


def new_token(prefix: str = TOKEN_PREFIX) -> str:
    """256 random bits, which nobody guesses."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of a token. It is random, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def csrf_token(session_token: str) -> str:
    """What a page of this session proves itself with; it tells nothing of the session's own token."""
    return hmac.new(session_token.encode(), b"csrf", hashlib.sha256).hexdigest()


def is_csrf_token(presented: str, session_token: str) -> bool:
    """Whether ``presented`` is the session's, compared in constant time."""
    return hmac.compare_digest(presented.encode(), csrf_token(session_token).encode())
