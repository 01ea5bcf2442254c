"""`nemod.render(..., model_only=True)` compared with NAM's player, with and without warm-up."""

import json
from pathlib import Path

import numpy as np
import pytest

import nemod

CASES = ("boss_LSTM-2x16_prewarm", "boss_WN-nano_prewarm", "boss_WN-nano_noprewarm")


@pytest.mark.parametrize("name", CASES)
def test_the_model_alone_starts_as_nams_player_does(name: str, shared_data: Path) -> None:
    """From the stored state, then silence if the case has it; compared on the guitar section."""
    folder = shared_data / "reference" / f"nam_{name}"
    case = json.loads((folder / "case.json").read_text())
    model = nemod.load_model(shared_data / case["model_file"])
    sound = np.load(shared_data / "reference" / case["input_file"]).astype(np.float32)
    guitar = sound[: round(0.9 * case["sample_rate"])]
    out = nemod.render(
        model,
        guitar,
        case["sample_rate"],
        model_only=True,
        prewarm=name.endswith("_prewarm"),
    )
    expected = np.load(folder / "output.npy")[: guitar.size]
    own = case["check"]["max_abs_diff_vs_numpy_float64"]
    limit = 1e-5 * max(1.0, float(np.abs(expected).max())) + own
    assert float(np.abs(out - expected).max()) <= limit
