"""How a command tells of what its user can mend."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from ..errors import TorilError
from ..processes import Exit


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Tell an error of toril's in one clear line, and by the exit code."""
    try:
        yield
    except TorilError as error:
        print(f"toril: {error}", file=sys.stderr)
        sys.exit(Exit.of(error))
