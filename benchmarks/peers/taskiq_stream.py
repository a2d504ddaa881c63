"""taskiq on a stream, see `taskiq`."""

from __future__ import annotations

import uvloop

from .coroutines import drive
from .taskiq import OnStream

if __name__ == "__main__":
    drive(OnStream, uvloop.run)
