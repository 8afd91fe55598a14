"""The real weights for tests: taken from the user's data folder, else pulled once into the repository's cache."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from pathlib import Path

import pytest

from dragoman.errors import WeightsError
from dragoman.models.weights import DEFAULT_MODEL, WeightsStore, pull

CACHE = Path(__file__).parents[2] / ".cache" / "dragoman"
COMMAND = "DRAGOMAN_DATA_DIR=.cache/dragoman .venv/bin/dragoman models pull"


def find_weights() -> Path:
    """Return the data folder that holds the default model, pulling it if need be; skips (or with CI=true fails) without."""
    if importlib.util.find_spec("xllamacpp") is None:
        _miss("xllamacpp is not installed; run: .venv/bin/pip install xllamacpp")
    folders = [CACHE]
    if chosen := os.environ.get("DRAGOMAN_DATA_DIR"):
        folders.insert(0, Path(chosen))
    for folder in folders:
        try:
            asyncio.run(WeightsStore(folder).find(DEFAULT_MODEL))
        except WeightsError:
            continue
        return folder
    try:
        asyncio.run(pull(WeightsStore(CACHE), DEFAULT_MODEL))
    except WeightsError as error:
        _miss(f"the weights are missing and cannot be fetched ({error}); run: {COMMAND}")
    return CACHE


def _miss(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """The data folder that holds the default model."""
    return find_weights()
