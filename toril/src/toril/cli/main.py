"""The `toril` command: one clear line for what its user can mend, and an exit code that tells."""

from __future__ import annotations

import sys

from .telling import plain_code, told

try:
    import typer
except ImportError:  # the extra is not installed
    typer = None  # type: ignore[assignment]


def main() -> None:
    """Run the command."""
    if typer is None:
        sys.exit("toril: the command needs its extra: pip install 'toril[cli]'")
    from .commands import app

    with told(plain_code):
        app(prog_name="toril")
