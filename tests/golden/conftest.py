"""Reference cases as fixtures: outputs of other engines for released models.

A test with an argument `aga_case`, `keras_case`, `nam_case` and so on runs once for each case of
that family; without the shared data it is skipped.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.formats import Model
from nemod.fx.nn.neural import model_weights, neural

Array = NDArray[np.float32]

FAMILIES = ("aga", "keras", "nam", "wnva", "embedded", "thirdparty", "rtneural_vectors")
GUITAR_S = 0.9
"""[s] Length of the guitar at the beginning of the mixed input."""


def _data() -> Path:
    root = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("NEMOD_SHARED", root.parent / "shared")) / "data"


@dataclass(frozen=True)
class Case:
    """One reference case."""

    facts: dict[str, Any]
    data: Path

    @property
    def model_path(self) -> Path:
        return self.data / self.facts["model_file"]

    @property
    def name(self) -> str:
        return str(self.facts["case"])

    def array(self, name: str) -> Array:
        path = self.data / "reference" / name
        stored = np.loadtxt(path, delimiter=",") if path.suffix == ".csv" else np.load(path)
        return np.ascontiguousarray(stored.astype(np.float32).reshape(-1))

    @property
    def inputs(self) -> Array:
        return self.array(self.facts["input_file"])

    @property
    def output(self) -> Array:
        return self.array(self.facts["output_file"])

    def controls(self, model: Model) -> Array:
        """Return the knobs' values, [knobs, frames]."""
        knobs = self.facts.get("knobs")
        frames = len(self.inputs)
        if isinstance(knobs, dict):
            files = knobs.get("per_sample_files") or [knobs["per_sample_file"]]
            return np.stack([self.array(name) for name in files])
        values = np.array(knobs or [], np.float32)[:, np.newaxis]
        assert values.shape == (len(model.knobs), 1)
        return np.repeat(values, frames, axis=1)

    @property
    def outputs(self) -> int:
        """Channels of the last layer of a file in RTNeural's JSON; the reference has the first."""
        shape = json.loads(self.model_path.read_text())["layers"][-1]["shape"]
        while isinstance(shape, list):
            shape = shape[-1]
        return int(shape)

    @property
    def guitar_frames(self) -> int:
        return int(GUITAR_S * self.facts["sample_rate"])

    @property
    def guitar_spread(self) -> float:
        """Largest difference between float32 engines on the guitar section, from the case."""
        return float(self.facts["check"].get("float32_spread_by_section", {}).get("guitar", 0.0))

    @property
    def tame_frames(self) -> int:
        """Number of frames after which float32 engines differ by more than 1e-3."""
        first = self.facts["check"].get("first_index_where_float32_spread_gt_1e_3")
        return len(self.output) if first is None else int(first)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for family in FAMILIES:
        if f"{family}_case" in metafunc.fixturenames:
            manifest = _data() / "reference" / "manifest.json"
            cases = json.loads(manifest.read_text())["cases"] if manifest.is_file() else []
            chosen = [Case(c, _data()) for c in cases if c["case"].startswith(family)]
            names = [case.name.removeprefix(family)[1:] for case in chosen]
            metafunc.parametrize(f"{family}_case", chosen, ids=names)


Render = Callable[[Model, Array, Array, int], Array]


@pytest.fixture(scope="session")
def render() -> Render:
    """Return `render(model, controls, inputs, block)`, which plays the effect block by block.

    The blocks are the steps of a scan. One program is compiled per network and block size, and is
    used for all models of this shape. An incomplete last block is not played.
    """
    programs: dict[Any, Any] = {}

    def program(model: Model, block: int) -> Any:
        effect = neural(model)

        def run(weights: Any, controls: Any, inputs: Any) -> Any:
            blocks = inputs.shape[0] // block
            signal = inputs.reshape(blocks, block)
            moves = controls.reshape(controls.shape[0], blocks, block).transpose(1, 0, 2)

            def step(state: Any, piece: Any) -> Any:
                return effect.process(weights, piece[1], state, piece[0])

            state = effect.init(weights, controls[:, 0])
            return jax.lax.scan(step, state, (signal, moves))[1].reshape(-1)

        return jax.jit(run)

    def render(model: Model, controls: Array, inputs: Array, block: int) -> Array:
        key = (model.network, block)
        if key not in programs:
            programs[key] = program(model, block)
        whole = len(inputs) // block * block
        out = programs[key](model_weights(model), controls[:, :whole], jnp.asarray(inputs[:whole]))
        return np.asarray(out)

    return render
