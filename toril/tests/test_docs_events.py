"""docs/events.md names every kind of event; its examples run with those of all pages."""

from __future__ import annotations

from pathlib import Path

import toril

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def test_every_kind_is_in_the_table() -> None:
    for label, kind in toril.events.KINDS.items():
        assert f"`{kind.__name__}`" in TEXT
        assert f"`{label}`" in TEXT
