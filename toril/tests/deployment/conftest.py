"""Deployments of real servers, one a session where a test does it no harm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .certificates import Authority
from .servers import Cluster, cluster


@pytest.fixture(scope="session")
def three_shards() -> Iterator[Cluster]:
    """A Cluster of three masters without replicas; tests leave its nodes running."""
    with cluster(3) as made:
        yield made


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
