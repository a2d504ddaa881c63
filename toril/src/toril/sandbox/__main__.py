"""`python -m toril.sandbox DESCRIPTOR PID`: started by a worker, not by hand."""

from __future__ import annotations

import sys

from .child import main

main(int(sys.argv[1]), int(sys.argv[2]))
