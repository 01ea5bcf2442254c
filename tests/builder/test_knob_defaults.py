"""A knob that nobody set plays at the default of the model's file."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import nemod
from nemod.formats.model import Knob, Model
from tests.engine.conftest import RATE_HZ, tiny


def with_defaults(model: Model, *defaults: float) -> Model:
    """Return the model with these defaults of its knobs."""
    knobs = tuple(
        Knob(name=f"k{number}", default=default) for number, default in enumerate(defaults)
    )
    return replace(model, knobs=knobs)


@pytest.mark.parametrize("model_only", [False, True])
def test_render_takes_the_defaults_of_the_file(
    model_only: bool, guitar: NDArray[np.float32]
) -> None:
    """As if each had been set; the numbers are another call's with explicit settings."""
    plain = tiny("GRU", 3)
    stated = with_defaults(plain, 0.1, 0.9, 0.3)
    sound = guitar[:4096]
    given = nemod.render(stated, sound, RATE_HZ, model_only=model_only)
    explicit = nemod.render(
        plain,
        sound,
        RATE_HZ,
        settings={"gain": 0.1, "level": 0.9, "knob/3": 0.3},
        model_only=model_only,
    )
    half = nemod.render(plain, sound, RATE_HZ, model_only=model_only)
    np.testing.assert_array_equal(given, explicit)
    assert np.abs(given - half).max() > 1e-4
