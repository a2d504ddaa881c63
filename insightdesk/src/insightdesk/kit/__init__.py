"""Helpers that know nothing of helpdesks."""
