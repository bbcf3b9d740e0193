"""One served app for all hostile suites."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workbench.hostile.calls import Caller
from tests.workbench.hostile.served import Served, served
from tests.workbench.hostile.weights import save


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("hostile")) as found:
        yield found


@pytest.fixture
def caller(server: Served) -> Iterator[Caller]:
    found = server.caller()
    yield found
    found.http.close()


@pytest.fixture(scope="session")
def weighted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with weights that are whole, cut off, pickled or missing."""
    folder, weights = tmp_path_factory.mktemp("weighted"), tmp_path_factory.mktemp("weights")
    save(weights, folder / "ran")
    with served(folder, weights) as found:
        yield found


@pytest.fixture
def known(weighted: Served) -> Iterator[Caller]:
    found = weighted.caller()
    yield found
    found.http.close()
