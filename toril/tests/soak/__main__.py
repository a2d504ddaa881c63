"""The long run: `PYTHONPATH=toril/tests python -m soak --minutes 30 --seed 7`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from pathlib import Path

from .run import soak


def main() -> None:
    parser = argparse.ArgumentParser(prog="soak", description="Load and random faults, judged from outside.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, help="of the faults and the load; a new one if none")
    parser.add_argument("--keep", type=Path, help="a folder for the ledgers, the logs and the server's data")
    chosen = parser.parse_args()
    seed = random.SystemRandom().randrange(2**31) if chosen.seed is None else chosen.seed
    logging.getLogger("toril").setLevel(logging.CRITICAL)
    print(f"soak: {chosen.minutes:g} minutes, --seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="toril-soak-") as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        violations = asyncio.run(soak(folder, seed, chosen.minutes * 60.0))
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
