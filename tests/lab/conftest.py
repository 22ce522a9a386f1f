"""What the tests of the lab share: its modules, and a cache of one's own."""

import importlib.machinery
import importlib.util
import pathlib
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "ci" / "lab"))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "bottle-gate"


def as_module(program, folder="lab"):
    """A program of a folder of ci, whose name has no ending, as a module."""
    loader = importlib.machinery.SourceFileLoader(f"{folder}_{program}", str(TOP / "ci" / folder / program))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def run():
    return as_module("run")
