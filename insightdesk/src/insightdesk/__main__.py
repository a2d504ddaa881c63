"""`python -m insightdesk` is the `insightdesk` command."""

from __future__ import annotations

from insightdesk.cli import main

main()
