"""Resolved tickets close by themselves after a while, and what a late reply to one does."""
