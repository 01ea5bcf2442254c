"""The probe of a model file: an input with the output that the file's author got for it."""

import numpy as np

from nemod.builder.level import play_alone
from nemod.common.errors import ModelError
from nemod.formats.model import Model

PROBE_ERROR = 1e-3
"""Largest difference from a file's own probe output, relative to its peak (at least 1)."""


def verify_probe(model: Model) -> float | None:
    """Play a file's own probe; return the largest error, relative to its peak, or None without one.

    Raises: ModelError when the file's own answer does not come out.
    """
    if model.probe is None:
        return None
    inputs, expected = model.probe
    out = play_alone(model, inputs[:, 0], inputs[:, 1:])
    error = float(np.abs(out - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if not error <= PROBE_ERROR:
        raise ModelError(
            model.name,
            f"the probe inside the file does not come out: off by {error:.2g}, allowed is "
            f"{PROBE_ERROR:g}; the weights or the layout are not what the file's maker played",
        )
    return error
