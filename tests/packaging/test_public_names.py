"""What a program may import from ``gossipd`` is there, and its version is the package's."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import gossipd
import gossipd.client


def test_every_public_name_can_be_loaded() -> None:
    assert list(gossipd.__all__) == sorted(gossipd.__all__)
    for name in gossipd.__all__:
        assert getattr(gossipd, name) is not None
    for name in gossipd.client.__all__:
        assert getattr(gossipd.client, name) is getattr(gossipd, name)
    assert dir(gossipd) == list(gossipd.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    for module in (gossipd, gossipd.client):
        assert not hasattr(module, "Nonsense")


def test_the_version_is_that_of_the_package() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    version = tomllib.loads(text)["project"]["version"]
    assert importlib.import_module("gossipd.version").__version__ == version
    assert gossipd.__version__ == version
