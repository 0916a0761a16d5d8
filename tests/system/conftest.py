"""Process trees that end with their test, and voices that are made once."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.postgres import PostgresServer
from tests.system.speakers import spoken
from tests.system.tones import Samples
from tests.system.tree import Tree

Plant = Callable[..., Tree]
"""Makes a tree: flags, its working directory `folder`, the data directory's name `data`, and
environment variables."""


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    trees: list[Tree] = []

    def plant(*flags: str, folder: Path = tmp_path, data: str = "data", **environment: str) -> Tree:
        trees.append(Tree(folder, *flags, data=data, environment=environment))
        return trees[-1]

    yield plant
    for tree in trees:
        tree.end()


class Kept(NamedTuple):
    """Where a tree keeps its log."""

    settings: dict[str, str]
    url: str | None

    def place(self, tree: Tree) -> Path | str:
        return self.url or tree.data


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest) -> Kept:
    if request.param == "sqlite":
        return Kept({}, None)
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.new_database()
    return Kept({"TERTULIA_STORE__URL": url}, url)


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Samples]:
    """Sentences as spoken, at 16 kHz."""
    return asyncio.run(spoken(tmp_path_factory.mktemp("voices") / "said.raw"))
