"""`toril doctor`."""

from __future__ import annotations

import sys
from dataclasses import asdict

from ..running import run
from ..storage.address import server_url
from ..storage.doctor import examine
from .console import Printer, print_json
from .options import AsJson, NoColor, Url

STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


def doctor(url: Url = None, as_json: AsJson = False, no_color: NoColor = False) -> None:
    """Look whether the server is fit for jobs: version, eviction, persistence, clock, memory, scripts.

    Exit code 1 if something is an error: jobs may be lost, or nothing works.
    """
    found = run(examine(server_url(url)))
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        printer = Printer(no_color)
        for finding in found:
            line = f"{finding.level:8}{finding.server}  {finding.check}: {finding.text}"
            printer.line(line, STYLES[finding.level])
    if any(finding.level == "error" for finding in found):
        sys.exit(1)
