"""Outcomes that telemetry is told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..hooks import Ending, Telemetry, tell
from ..job import JobOptions, Json
from ..options import Keep
from ..record import Job
from ..storage.work import Settlement
from .outcomes import BackoffStrategy, Outcomes

_ENDINGS = {
    "c": Ending.COMPLETED,
    "r": Ending.RETRIED,
    "s": Ending.SNOOZED,
    "l": Ending.LIMITED,
    "w": Ending.WAITING_CHILDREN,
}
"""By the settlement's kind; of failures `_failed` tells, which knows their errors."""


class ToldOutcomes(Outcomes):
    """Decides as `Outcomes` does, and tells telemetry. A worker without telemetry has none of this.

    Args:
        telemetry: Those that are told.
        backoffs, keep_completed, keep_failed: See `Outcomes`.
    """

    def __init__(
        self,
        telemetry: Sequence[Telemetry],
        backoffs: Mapping[str, BackoffStrategy],
        keep_completed: Keep,
        keep_failed: Keep,
    ) -> None:
        super().__init__(backoffs, keep_completed, keep_failed)
        self._telemetry = telemetry

    def of_result(self, job: Job, token: str, result: Json) -> Settlement:
        """See `Outcomes.of_result`."""
        return self._told(job, super().of_result(job, token, result), None)

    def of_error(self, job: Job, token: str, error: BaseException) -> Settlement:
        """See `Outcomes.of_error`."""
        return self._told(job, super().of_error(job, token, error), error)

    def _told(self, job: Job, settlement: Settlement, error: BaseException | None) -> Settlement:
        if settlement.kind in _ENDINGS:
            tell(self._telemetry, job, _ENDINGS[settlement.kind], error)
        return settlement

    def _failed(self, job: Job, options: JobOptions, token: str, error: BaseException) -> Settlement:
        tell(self._telemetry, job, Ending.FAILED, error)
        return super()._failed(job, options, token, error)
