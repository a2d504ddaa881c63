"""`toril doctor`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from ..storage.address import server_url
from ..storage.doctor import examine
from .run import run


def doctor(
    url: Annotated[
        str | None, typer.Option(help="The server; by default TORIL_URL or the local one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look whether the server is fit for jobs: version, eviction, persistence, clock, memory, scripts.

    Exit code 1 if something is an error: jobs may be lost, or nothing works.
    """
    found = run(examine(server_url(url)))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        for finding in found:
            typer.echo(f"{finding.level:8}{finding.server}  {finding.check}: {finding.text}")
    if any(finding.level == "error" for finding in found):
        sys.exit(1)
