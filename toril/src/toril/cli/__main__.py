"""`python -m toril.cli`: the `toril` command; a supervisor starts its workers so."""

from __future__ import annotations

from .main import main

main()
