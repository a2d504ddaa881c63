"""How a command tells of what its user can mend: one clear line, and the exit code.

Commands but `toril worker` end with 0 if it is done, 1 if it is not, and 2 if they were called wrongly.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from ..errors import InvalidOption, TorilError
from ..failure import one_line
from ..processes import Exit


class NotDone(TorilError):
    """A command did not do what it was asked for; the message says why."""


def plain_code(error: TorilError) -> int:
    """The exit code of an error: 2 if the command was called wrongly, else 1."""
    return 2 if isinstance(error, InvalidOption) else 1


@contextlib.contextmanager
def told(code_of: Callable[[TorilError], int] = Exit.of) -> Iterator[None]:
    """Tell an error of toril's in one clear line, and by the exit code; by default a worker's."""
    try:
        yield
    except TorilError as error:
        print(f"toril: {one_line(str(error))}", file=sys.stderr)
        sys.exit(code_of(error))
