"""The long run: `PYTHONPATH=toril/tests python -m model --minutes 20`."""

from __future__ import annotations

import argparse

import toril

from .run import run, run_for


def main() -> None:
    parser = argparse.ArgumentParser(prog="model", description="Compare the engine with its reference model.")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, help="run again the 200 examples of a printed seed")
    chosen = parser.parse_args()
    with toril.embedded() as url:
        if chosen.seed is None:
            run_for(url, chosen.minutes)
        else:
            run(url, 200, first_seed=chosen.seed)


if __name__ == "__main__":
    main()
