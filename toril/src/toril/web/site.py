"""What all requests to one dashboard share."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from importlib import resources

import jinja2

from . import live, words
from .access import Act, Authorize, Identity, MayAct, OnAct, settled
from .redaction import Redact
from .registry import QueueRegistry
from .streams import Streams
from .watch import Watch

logger = logging.getLogger("toril")

STATIC = ("app.css", "app.js", "icon.svg")
"""The files that pages need, all in the package."""


def _version() -> str:
    folder = resources.files(__package__) / "static"
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in STATIC)).hexdigest()[:12]


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("toril.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=words.number,
        rate=words.rate,
        duration=words.duration,
        moment=words.moment,
        pretty=words.pretty,
        brief=words.brief,
        cut=words.cut,
    )
    environment.globals.update(ago=words.ago, states=live.STATES)
    return environment


@dataclass
class Site:
    """A dashboard's options, its queues, and its one poller."""

    registry: QueueRegistry
    watch: Watch
    streams: Streams
    authorize: Authorize
    may_act: MayAct
    on_act: OnAct | None
    redact: Redact
    read_only: bool
    base_path: str
    title: str
    hosts: Collection[str] | None
    version: str = field(default_factory=_version)
    templates: jinja2.Environment = field(default_factory=_templates)

    async def note(self, identity: Identity, act: Act) -> None:
        """Log an act that is about to be done, and tell whoever keeps a record of them."""
        who = identity.name or "somebody"
        what = f"{len(act.job_ids)} jobs" if act.job_ids else act.state or act.scheduler_id or "the queue"
        logger.info("dashboard: %s: %s of %s in queue %s", who, act.verb, what, act.queue)
        if self.on_act is not None:
            await settled(self.on_act(identity, act))
