"""The addresses of pages, below whatever path the dashboard is mounted at.

Names of queues and ids of jobs may contain anything: in a path `/` and what begins with a dot are written
with a tilde, so that neither a server nor a proxy takes them for a path.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

_ESCAPES = {"~": "~0", "/": "~1", "\\": "~2"}
_UNESCAPES = {"0": "~", "1": "/", "2": "\\", "3": "."}


def segment(text: str) -> str:
    """Write any text as one segment of a path."""
    escaped = re.sub(r"[~/\\]", lambda match: _ESCAPES[match[0]], text)
    if escaped.startswith("."):
        escaped = f"~3{escaped[1:]}"
    return quote(escaped, safe="~")


def unsegment(text: str) -> str:
    """Read a segment that `segment` has written, as it stands in a decoded path."""
    return re.sub(r"~([0-3])", lambda match: _UNESCAPES[match[1]], text)


class Links:
    """Addresses of pages.

    Args:
        root: The path that the dashboard is mounted at; empty for the top.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def to(self, *segments: str, **query: str | int | None) -> str:
        """The address of a page; queries that are None or empty are left out."""
        path = f"{self.root}/{'/'.join(segment(each) for each in segments)}"
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{path}?{urlencode(asked)}" if asked else path

    def static(self, name: str, version: str) -> str:
        """The address of a file that never changes under it."""
        return f"{self.root}/static/{name}?v={version}"

    def queue(self, queue: str) -> str:
        """A queue's page."""
        return self.to("queues", queue)

    def jobs(self, queue: str, state: str, **query: str | int | None) -> str:
        """The list of a queue's jobs of one state."""
        return self.to("queues", queue, "jobs", state=state, **query)

    def job(self, queue: str, job_id: str) -> str:
        """A job's page."""
        return self.to("queues", queue, "jobs", job_id)

    def back(self, asked: str) -> str:
        """A page of the dashboard that a form names to go back to; the overview for anything else."""
        ours = f"{self.root}/"
        inside = asked.startswith(ours) and not asked.startswith(("//", "/\\"))
        return asked if inside and not re.search(r"[\x00-\x20\\]", asked) else ours
