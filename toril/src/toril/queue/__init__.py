"""Queue: produce, inspect, control. Each module of this package has the verbs of one kind."""

from collections.abc import Sequence

from ..hooks import Telemetry
from ..job import JobKeywords, JobOptions
from .control import Control
from .limits import Limits
from .observing import Observing
from .publishing import Publishing
from .reading import Reading
from .scheduling import Scheduling


class Queue(Reading, Observing, Publishing, Control, Limits, Scheduling):
    """A queue of jobs, for those who add, look at and steer them.

    Args:
        name: The queue's name, without `:`.
        url: The server; by default the environment's TORIL_URL, else `valkey://127.0.0.1:6379/0`.
        prefix: What all keys begin with, as BullMQ's `prefix`.
        defaults: Options of the jobs that this object adds, where they say nothing else.
        telemetry: Follows the jobs that this object adds.

    Raises:
        InvalidOption: name, URL, prefix or an option are wrong.

    Every method that talks to the server raises `ConnectionFailed` when it cannot be reached and
    `ServerRefused` when it answers with an error.
    """

    def __init__(
        self,
        name: str,
        url: str | None = None,
        *,
        prefix: str = "bull",
        defaults: JobKeywords | None = None,
        telemetry: Sequence[Telemetry] = (),
    ) -> None:
        super().__init__(name, url, prefix=prefix)
        self._defaults = JobOptions.of(**(defaults or {}))
        self.follow(telemetry)
