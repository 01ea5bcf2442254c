"""The output ceiling, shared by the limiter and the engine. No jax here: the engine imports it."""

import numpy as np

from nemod.common.units import db_to_amplitude

CEILING_DB = -1.0
"""[dBFS] Highest sample that leaves the rig."""
CEILING = float(np.float32(db_to_amplitude(CEILING_DB)))
"""The same as an amplitude, rounded to the float32 that the limiter compares with."""
