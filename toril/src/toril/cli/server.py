"""`toril server`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from ..embedded import EmbeddedServer
from .telling import NotDone

LOOK = 0.5
"""Seconds between two looks whether the server lives."""


def server(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where it listens, on this machine alone.")
    ] = 6379,
    data_dir: Annotated[
        Path | None, typer.Option(help="A folder that keeps its jobs; if none, they go with it.")
    ] = None,
) -> None:
    """Run a real Valkey until Ctrl-C, from the wheel that toril[embedded] brings: for development."""
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    with EmbeddedServer(data_dir, port, "everysec" if data_dir else None) as embedded:
        typer.echo(f"Valkey at {embedded.url}, until Ctrl-C")
        while not asked.wait(LOOK):
            if not embedded.running:
                raise NotDone("the server has ended by itself; its log is in its folder")
