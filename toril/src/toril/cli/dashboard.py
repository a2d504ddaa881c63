"""`toril dashboard`: the dashboard by itself, for whoever is at this machine."""

from __future__ import annotations

import os
import secrets
import sys
from typing import Annotated

import typer

from ..errors import InvalidOption
from ..running import run
from .options import Prefix, Url

LOCAL = ("127.0.0.1", "localhost", "::1")
LOGIN = "TORIL_DASHBOARD_LOGIN"


def dashboard(
    url: Url = None,
    queue: Annotated[list[str] | None, typer.Option(help="A queue; all that are there if none.")] = None,
    prefix: Prefix = "bull",
    host: Annotated[str, typer.Option(help="The address to listen at.")] = LOCAL[0],
    port: Annotated[int, typer.Option(help="The port to listen at; 0 for a free one.")] = 9181,
    read_only: Annotated[bool, typer.Option("--read-only", help="Look only: no act is done.")] = False,
    base_path: Annotated[str, typer.Option(help="The path that a proxy takes off.")] = "",
) -> None:
    """Serve the dashboard.

    Only this machine can reach it, unless --host says otherwise; the environment's TORIL_DASHBOARD_LOGIN,
    name:password, is asked for then.
    """
    try:
        from ..web.serving import serve
    except ModuleNotFoundError as error:
        if error.name not in {"starlette", "jinja2", "uvicorn"}:
            raise
        sys.exit("toril: the dashboard needs its extra: pip install 'toril[web]'")
    login = os.environ.get(LOGIN, "")
    if login and not all(login.partition(":")):
        raise InvalidOption(f"{LOGIN} is of the form name:password")
    if host not in LOCAL and not login:
        raise InvalidOption(
            f"at {host} everybody could look and act: set {LOGIN}=name:password, "
            f"as in {LOGIN}=admin:{secrets.token_urlsafe(12)}"
        )
    run(
        serve(
            url, queues=queue, prefix=prefix, host=host, port=port, read_only=read_only, base_path=base_path,
            login=login or None, hosts=LOCAL if host in LOCAL and not base_path and not login else None,
        )
    )  # fmt: skip
