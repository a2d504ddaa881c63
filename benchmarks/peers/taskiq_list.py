"""taskiq on a list, see `taskiq`."""

from __future__ import annotations

import uvloop

from .coroutines import drive
from .taskiq import OnList

if __name__ == "__main__":
    drive(OnList, uvloop.run)
