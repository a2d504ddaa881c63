"""The commands: what each is called, where `toril --help` lists it, and an example of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from .dashboard import dashboard
from .doctor import doctor
from .explaining import explain_job
from .failures import failures
from .jobs import job, jobs
from .queues import pause, resume, stats
from .schedulers import schedulers
from .server import server
from .steering import cancel, promote, remove, retry
from .telling import told
from .top import top
from .worker import alive, worker

HELP = """Jobs on Valkey/Redis, shared with BullMQ.

Exit codes: 0 it is done; 1 it is not done, and the last line says why; 2 the command was called wrongly.
`toril worker` has codes of its own.
"""

RUN, LOOK, STEER = "Run", "Look", "Steer"

COMMANDS: tuple[tuple[str, Callable[..., None], str, str], ...] = (
    ("worker", told()(worker), RUN, "toril worker shop:app --queue email --concurrency 50"),
    ("alive", alive, RUN, "toril alive /run/worker.alive --max-age 30"),
    ("dashboard", dashboard, RUN, "toril dashboard --read-only"),
    ("server", server, RUN, "toril server --data-dir valkey"),
    ("doctor", doctor, RUN, "toril doctor -u valkey://db:6379/0"),
    ("stats", stats, LOOK, "toril stats --queue email"),
    ("jobs", jobs, LOOK, "toril jobs email --state failed --search 'error~timeout'"),
    ("job", job, LOOK, "toril job email 17 --logs 100"),
    ("explain", explain_job, LOOK, "toril explain email 17"),
    ("failures", failures, LOOK, "toril failures email"),
    ("top", top, LOOK, "toril top email sms --interval 2"),
    ("schedulers", schedulers, LOOK, "toril schedulers email --run-now nightly"),
    ("retry", retry, STEER, "toril retry email --all --dry-run"),
    ("promote", promote, STEER, "toril promote email 17 18"),
    ("remove", remove, STEER, "toril remove email --all --state completed --limit 1000"),
    ("cancel", cancel, STEER, "toril cancel email 17 --reason 'sent by hand'"),
    ("pause", pause, STEER, "toril pause email sms"),
    ("resume", resume, STEER, "toril resume email sms"),
)
"""Names, functions, panels and examples."""

app = typer.Typer(no_args_is_help=True, invoke_without_command=True, add_completion=True, help=HELP)


@app.callback()
def _toril(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version, and end.")
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"toril {version_of('toril')}")
        raise typer.Exit


for _name, _function, _panel, _example in COMMANDS:
    app.command(_name, rich_help_panel=_panel, epilog=f"Example: {_example}")(_function)
