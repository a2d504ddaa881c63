"""Both distributions, built, and environments that they are installed into."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Tests are imported by path, so what they share is put on the path here.
sys.path.insert(0, str(Path(__file__).parent))

from environments import ROOT, Environment, run


@pytest.fixture(scope="session")
def dist() -> Path:
    """The folder `dist`, built anew."""
    run("make", "dist", cwd=ROOT)
    return ROOT / "dist"


@pytest.fixture(scope="session")
def wheels(dist: Path) -> dict[str, Path]:
    """The wheel of each distribution."""
    return {wheel.name.partition("-")[0]: wheel for wheel in dist.glob("*.whl")}


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Environment]:
    def make(name: str) -> Environment:
        folder = tmp_path_factory.mktemp(name)
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        return Environment(folder)

    return make


@pytest.fixture(scope="session")
def core(make_environment: Callable[[str], Environment], wheels: dict[str, Path]) -> Environment:
    """An environment with toril and what it needs, without extras."""
    made = make_environment("core")
    made.install(wheels["toril"])
    return made


@pytest.fixture(scope="session")
def desk(make_environment: Callable[[str], Environment], wheels: dict[str, Path]) -> Environment:
    """An environment with insightdesk and what it needs."""
    made = make_environment("desk")
    made.install(wheels["toril"], wheels["insightdesk"])
    return made
