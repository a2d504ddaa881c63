"""Runs handlers in processes of their own: for CPU-bound work, and for code that may crash."""

from .address import RunIn, address_of
from .pool import Pool

__all__ = ["Pool", "RunIn", "address_of"]
