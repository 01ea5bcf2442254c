"""Small model documents, which tests modify."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return `write(document)`: a file that holds it, a str or bytes as they are."""

    def to_file(document: Any) -> Path:
        path = tmp_path / "model.json"
        if isinstance(document, bytes):
            path.write_bytes(document)
        else:
            path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return to_file


@pytest.fixture
def rnn() -> Callable[..., dict[str, Any]]:
    """Return `rnn(unit, inputs, hidden, layers)`: a GuitarML document with random numbers."""

    def document(
        unit: str = "LSTM", inputs: int = 1, hidden: int = 3, layers: int = 1
    ) -> dict[str, Any]:
        rng = np.random.default_rng(5)

        def draw(*shape: int) -> Any:
            return rng.normal(0.0, 0.5, shape).astype(np.float32).tolist()

        rows = {"LSTM": 4, "GRU": 3}[unit] * hidden
        state: dict[str, Any] = {}
        for layer in range(layers):
            state[f"rec.weight_ih_l{layer}"] = draw(rows, hidden if layer else inputs)
            state[f"rec.weight_hh_l{layer}"] = draw(rows, hidden)
            state[f"rec.bias_ih_l{layer}"] = draw(rows)
            state[f"rec.bias_hh_l{layer}"] = draw(rows)
        state["lin.weight"] = draw(1, hidden)
        state["lin.bias"] = draw(1)
        return {
            "model_data": {
                "model": "SimpleRNN",
                "input_size": inputs,
                "skip": 1,
                "output_size": 1,
                "unit_type": unit,
                "num_layers": layers,
                "hidden_size": hidden,
                "bias_fl": True,
            },
            "state_dict": state,
        }

    return document
