"""Small real model files, and libraries over folders of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nemod.library import Index, Library

WriteModel = Callable[..., Path]


@pytest.fixture
def write_model() -> WriteModel:
    """Return a function that writes a GuitarML LSTM of 4 units and returns its file."""

    def write(path: Path, seed: int = 0, **metadata: Any) -> Path:
        random = np.random.default_rng(seed)
        shapes = {
            "rec.weight_ih_l0": (16, 1),
            "rec.weight_hh_l0": (16, 4),
            "rec.bias_ih_l0": (16,),
            "rec.bias_hh_l0": (16,),
            "lin.weight": (1, 4),
            "lin.bias": (1,),
        }
        sizes = {"input_size": 1, "hidden_size": 4, "num_layers": 1, "output_size": 1, "skip": 1}
        document = {
            "model_data": {"model": "SimpleRNN", "unit_type": "LSTM", "bias_fl": True, **sizes},
            "metadata": metadata,
            "state_dict": {
                key: random.uniform(-0.5, 0.5, shape).tolist() for key, shape in shapes.items()
            },
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder for models."""
    made = tmp_path / "models"
    made.mkdir()
    return made


@pytest.fixture
def open_library(folder: Path, tmp_path: Path) -> Callable[[], Library]:
    """Return a function that makes a library over the folder, as a new process would."""
    return lambda: Library([folder], index=Index(tmp_path / "index" / "library.db"))
