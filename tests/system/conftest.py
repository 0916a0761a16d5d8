"""Process trees that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
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
