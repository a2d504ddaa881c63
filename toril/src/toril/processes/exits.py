"""The exit codes of `toril worker`; the numbers are those of sysexits.h where it has one."""

from __future__ import annotations

from enum import IntEnum

from ..errors import ConnectionFailed, InvalidOption, ServerRefused, TorilError, UnknownJob


class Exit(IntEnum):
    """Why a worker or a supervisor has ended."""

    DRAINED = 0
    """Asked to stop; all running jobs were finished."""
    FAILED = 1
    """Something else; the last line says what."""
    UNREACHABLE = 69
    """The server could not be reached, or refused, at the start."""
    CRASH_LOOP = 70
    """A worker process died again and again."""
    HANDED_BACK = 75
    """Asked to stop; some running jobs were handed back, or their process had to be killed."""
    MISTAKE = 78
    """A wrong module, application, queue or option: starting again will not help."""

    @classmethod
    def of(cls, error: TorilError) -> Exit:
        """Return the exit code of an error that ends the command."""
        if isinstance(error, InvalidOption | UnknownJob):
            return cls.MISTAKE
        if isinstance(error, ConnectionFailed | ServerRefused):
            return cls.UNREACHABLE
        return cls.FAILED
