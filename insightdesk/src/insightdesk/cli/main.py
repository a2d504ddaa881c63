"""The commands. Each is thin: the work is done by the modules beside it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from insightdesk.cli.failures import dead_letters_app, jobs_app
from insightdesk.cli.listing import AsJson, NoColor
from insightdesk.cli.problems import Problem, check_port, check_valkey, explain, give_up

__all__ = ["main"]

_API_DRAIN = 5  # seconds that requests may take which are under way when the API is asked to stop
_HANDED_BACK = 75  # a worker's exit code when it ended before its jobs; as `toril worker` has it

app = typer.Typer(
    name="insightdesk",
    help=(
        "A helpdesk with SLA clocks, mail and live notifications.\n\n"
        "Exit codes: 0 it is done; 1 it is not done, and the last line says why; 2 the command was called "
        "wrongly. A worker that had to hand back jobs ends with 75."
    ),
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _insightdesk(
    version: Annotated[bool, typer.Option("--version", help="Print the version, and end.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(f"insightdesk {version_of('insightdesk')}")
        raise typer.Exit


token_app = typer.Typer(help="Bearer tokens.", no_args_is_help=True)
app.add_typer(token_app, name="token")
app.add_typer(jobs_app, name="jobs")
app.add_typer(dead_letters_app, name="dead-letters")
mail_app = typer.Typer(help="Mails.", no_args_is_help=True)
app.add_typer(mail_app, name="mail")


@app.command(epilog="Example: insightdesk dev --port 8080 --fresh")
def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web server.")] = 8000,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Seed a demo organization.")] = True,
    fresh: Annotated[bool, typer.Option(help="Begin with empty data.")] = False,
    no_color: NoColor = False,
) -> None:
    """Run everything here: Valkey, PostgreSQL, the API and a worker."""
    from insightdesk.cli.dev import run_dev

    raise typer.Exit(run_dev(port=port, demo=demo, fresh=fresh, no_color=no_color))


@app.command(epilog="Example: insightdesk demo --seconds 120")
def demo(
    url: Annotated[
        str, typer.Option(help="Address of a running `insightdesk dev`.")
    ] = "http://127.0.0.1:8000",
    seconds: Annotated[float, typer.Option(min=5.0, max=3600.0, help="How long the day takes.")] = 60.0,
    no_color: NoColor = False,
) -> None:
    """Play a day of a helpdesk against a running `insightdesk dev`."""
    from insightdesk.cli.demo import run_demo

    asyncio.run(run_demo(url, seconds, no_color))


@app.command(epilog="Example: insightdesk api --host 0.0.0.0 --port 8000")
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on [INSIGHTDESK_HOST].")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Its port [INSIGHTDESK_PORT].")] = None,
) -> None:
    """Serve the API and the pages."""
    import uvicorn

    from insightdesk.cli.supervisor import stop_with_parent
    from insightdesk.kit.serving import ImpatientProtocol
    from insightdesk.logs import configure_logging
    from insightdesk.main import create_app
    from insightdesk.migrations import check_migrated
    from insightdesk.settings import get_settings

    settings = get_settings()
    host, port = host or settings.host, port or settings.port
    check_migrated(settings.database_url)
    check_port(host, port)
    configure_logging(settings)
    config = uvicorn.Config(
        create_app(),
        host=host,
        port=port,
        http=ImpatientProtocol,
        timeout_graceful_shutdown=_API_DRAIN,
        log_config=None,
    )
    # Uvicorn raises the signal again when it has drained; that is no reason to die of it.
    signal.signal(signal.SIGTERM, lambda *_: None)

    async def serve() -> None:
        guard = asyncio.create_task(stop_with_parent())
        try:
            await uvicorn.Server(config).serve()
        finally:
            guard.cancel()

    asyncio.run(serve())


@app.command(epilog="Example: insightdesk worker --concurrency 20 --liveness-file /run/desk.alive")
def worker(
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=1000, help="No queue runs more jobs at a time.")
    ] = None,
    liveness_file: Annotated[
        Path | None, typer.Option(help="Touch it while jobs are worked on; for `toril alive FILE`.")
    ] = None,
    health_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve /live and /ready of this worker there.")
    ] = None,
) -> None:
    """Work on jobs, run the schedules and carry the outbox to Valkey."""
    from insightdesk.cli.supervisor import stop_with_parent
    from insightdesk.email.providers import configured_providers
    from insightdesk.logs import configure_logging
    from insightdesk.migrations import check_migrated
    from insightdesk.settings import get_settings

    settings = get_settings()
    configure_logging(settings)
    os.environ["TORIL_URL"] = settings.valkey_url
    configured_providers(settings)
    check_migrated(settings.database_url)
    asyncio.run(check_valkey(settings.valkey_url))
    import toril
    from insightdesk.worker import run_worker

    async def work() -> int:
        guard = asyncio.create_task(stop_with_parent())
        try:
            return await run_worker(concurrency, liveness_file, health_port)
        finally:
            guard.cancel()

    if toril.run(work()):
        raise typer.Exit(_HANDED_BACK)


@app.command(epilog="Example: insightdesk migrate")
def migrate() -> None:
    """Bring the database's tables up to date."""
    from insightdesk.migrations import head_revision
    from insightdesk.migrations import migrate as run
    from insightdesk.settings import get_settings

    run(get_settings().database_url)
    print(f"the database is at migration {head_revision()}")


@token_app.command("create", epilog="Example: insightdesk token create --role agent --org demo --days 30")
def token_create(
    role: Annotated[str, typer.Option(help="admin, agent or customer.")],
    org: Annotated[str, typer.Option(help="The organization's short name; made when missing.")] = "default",
    email: Annotated[str | None, typer.Option(help="The user; made when missing.")] = None,
    scope: Annotated[str, typer.Option(help="read, write or admin: all that the role may do.")] = "admin",
    days: Annotated[int, typer.Option(min=0, max=3660, help="How long it works; 0: until revoked.")] = 365,
) -> None:
    """Print a new bearer token."""
    from insightdesk.accounts.models import Role, Scope
    from insightdesk.cli.tokens import create_token

    if role not in set(Role):
        raise Problem(f"there is no role {role!r}; roles are {', '.join(Role)}")
    if scope not in set(Scope):
        raise Problem(f"there is no scope {scope!r}; scopes are {', '.join(Scope)}")
    _check_database()
    print(asyncio.run(create_token(Role(role), org, email, Scope(scope), days)))


@token_app.command("list", epilog="Example: insightdesk token list --org demo --json")
def token_list(
    org: Annotated[str, typer.Option(help="The organization's short name.")] = "default",
    as_json: AsJson = False,
) -> None:
    """List an organization's tokens that are not revoked."""
    from insightdesk.cli.tokens import list_tokens

    _check_database()
    asyncio.run(list_tokens(org, as_json))


@token_app.command("revoke", epilog="Example: insightdesk token revoke 01J9ZV --org demo")
def token_revoke(
    token_id: Annotated[str, typer.Argument(help="As `insightdesk token list` shows it.")],
    org: Annotated[str, typer.Option(help="The organization's short name.")] = "default",
) -> None:
    """Take a token back; the next request with it is refused."""
    from insightdesk.cli.tokens import revoke_token

    _check_database()
    asyncio.run(revoke_token(org, token_id))
    print("revoked")


def _check_database() -> None:
    from insightdesk.migrations import check_migrated
    from insightdesk.settings import get_settings

    check_migrated(get_settings().database_url)


@app.command(epilog="Example: insightdesk erase ann@example.com --org demo")
def erase(
    email: Annotated[str, typer.Argument(help="The address of the person to erase.")],
    org: Annotated[str, typer.Option(help="The organization's short name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a person: from the database, the queues and the files. It cannot be undone."""
    from insightdesk.cli.erase import erase_person
    from insightdesk.migrations import check_migrated
    from insightdesk.settings import get_settings

    settings = get_settings()
    os.environ["TORIL_URL"] = settings.valkey_url
    check_migrated(settings.database_url)
    asyncio.run(check_valkey(settings.valkey_url))
    if not yes:
        typer.confirm(f"Erase {email} from {org}? It cannot be undone.", abort=True)
    print(asyncio.run(erase_person(email, org)))


@mail_app.command("preview", epilog="Example: insightdesk mail preview welcome --out ./mails")
def mail_preview(
    template: Annotated[str | None, typer.Argument(help="Its name; all of them if none is given.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for HTML and text; else the text is shown.")
    ] = None,
    picture: Annotated[bool, typer.Option("--picture", help="Take pictures too, with Chromium.")] = False,
) -> None:
    """Show mails with sample data; nothing is sent."""
    from insightdesk.cli.mail import show

    show(template, out, picture=picture)


def main() -> None:
    """The entry point: one line and a code that is not 0 for whatever the user can mend."""
    try:
        app(prog_name="insightdesk")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # the edge: what is not explained is raised again
        line = explain(error)
        if line is None:
            raise
        give_up(line)
