"""`toril worker` and `toril alive`."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..health import MAX_AGE, silence_of
from ..processes import Limits, SourceWatch, Supervisor
from ..running import run
from .serving import Serving

PROCESSES = "Processes"
PROBES = "Probes"


def worker(
    target: Annotated[str, typer.Argument(metavar="MODULE:APP", help="Where the Toril application is.")],
    queue: Annotated[
        list[str] | None,
        typer.Option(help="A queue to serve, or QUEUE=N with a concurrency of its own; all if none."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Jobs at a time of each queue and process.")] = 10,
    drain_timeout: Annotated[float, typer.Option(min=0, help="Seconds that a stop waits for jobs.")] = 30.0,
    lock_duration: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which a dead worker's job is stalled.")
    ] = 30.0,
    stalled_interval: Annotated[
        float, typer.Option(min=0.05, help="Seconds between two looks for stalled jobs.")
    ] = 30.0,
    processes: Annotated[
        int, typer.Option(min=1, max=1024, help="Processes under one supervisor.", rich_help_panel=PROCESSES)
    ] = 1,
    max_crashes: Annotated[
        int,
        typer.Option(
            min=1,
            help="End when a process has died so often in a row, each time within 10 s.",
            rich_help_panel=PROCESSES,
        ),
    ] = 5,
    max_jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Replace a process after about so many jobs.", rich_help_panel=PROCESSES),
    ] = None,
    max_memory: Annotated[
        int | None,
        typer.Option(min=1, help="Replace a process that has more MiB (Linux).", rich_help_panel=PROCESSES),
    ] = None,
    reload: Annotated[
        bool,
        typer.Option("--reload", help="Start again when source files change.", rich_help_panel=PROCESSES),
    ] = False,
    reload_dir: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder with source files to watch; the working folder if none.",
            rich_help_panel=PROCESSES,
        ),
    ] = None,
    liveness_file: Annotated[
        Path | None,
        typer.Option(help="Touch it while the workers make progress.", rich_help_panel=PROBES),
    ] = None,
    health_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve /live, /ready, /metrics.", rich_help_panel=PROBES),
    ] = None,
    health_host: Annotated[
        str, typer.Option(help="The address of the endpoint.", rich_help_panel=PROBES)
    ] = "0.0.0.0",
    max_age: Annotated[
        float,
        typer.Option(help="Not live after so many seconds without an answer.", rich_help_panel=PROBES),
    ] = MAX_AGE,
) -> None:
    """Run the declared jobs until Ctrl-C or SIGTERM; a second one hands running jobs back.

    Exit codes: 0 all jobs were finished; 69 the server cannot be reached at the start; 70 a process
    died again and again; 75 jobs were handed back; 78 a wrong module, queue or option; 1 anything else.
    """
    work = Serving(target, queue or (), concurrency, drain_timeout, lock_duration, stalled_interval)
    if processes > 1 or reload or max_jobs is not None or max_memory is not None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(process)d] %(levelname)s %(message)s")
        limits = Limits(
            drain_timeout, max_crashes, max_jobs, None if max_memory is None else max_memory << 20
        )
        supervisor = Supervisor(
            work.command(),
            processes,
            limits,
            watch=SourceWatch(reload_dir or [Path.cwd()]) if reload else None,
            file=liveness_file,
            port=health_port,
            host=health_host,
            max_age=max_age,
        )
        sys.exit(run(supervisor.run()))
    probed = replace(
        work,
        liveness_file=None if liveness_file is None else str(liveness_file),
        health_port=health_port,
        health_host=health_host,
        max_age=max_age,
    )
    # This process becomes the worker, so that it is rid of all that has read the command line.
    os.execv(sys.executable, probed.command())


def alive(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The worker's --liveness-file.")],
    max_age: Annotated[
        float, typer.Option(min=0, help="Seconds without an answer of the server that are too long.")
    ] = MAX_AGE,
) -> None:
    """Tell by its liveness file whether a worker makes progress: exit code 0 if so, else 1."""
    silence = silence_of(path)
    if silence is None:
        sys.exit(f"toril: no liveness file {path}: the worker has not begun, or has ended")
    if silence > max_age:
        sys.exit(f"toril: the worker's last answer of the server is {silence:.0f} s old")
    typer.echo(f"alive: the last answer of the server is {silence:.0f} s old")
