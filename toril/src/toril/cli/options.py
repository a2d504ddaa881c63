"""The options and arguments that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from .completion import complete_queue

Url = Annotated[
    str | None,
    typer.Option("--url", "-u", help="The server; by default TORIL_URL, else the local one."),
]
Prefix = Annotated[str, typer.Option(help="What all keys begin with.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print no colours; so does NO_COLOR.")]
QueueName = Annotated[
    str, typer.Argument(metavar="QUEUE", help="The queue's name.", autocompletion=complete_queue)
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]
