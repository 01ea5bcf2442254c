"""Switching among models of every family while a guitar plays through a real JACK server."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system.conftest import RATE, Sound

pytestmark = [pytest.mark.jack, pytest.mark.portaudio]

PIECE_FRAMES = 3 * RATE // 2
"""Longer than a load of a compiled model takes."""
LOAD_S = 30.0
FAMILIES = {
    "guitarml-lstm": "aga/GuitarML__NeuralSeed/models_lstm8_ts9_pytorch.json",
    "guitarml-gru": "aga/GuitarML__NeuralSeed/models_gru8_ts9_pytorch.json",
    "aida-x": "keras/a-carson__resampling_neural_afx/AIDA-X_BossDs-1_Dist_12oclock_.json",
    "nam-lstm": "nam/mikeoliphant__neural-amp-modeler-lv2/hist_1741e0b_models_BossLSTM-2x16.nam",
    "nam-a1": "nam/mikeoliphant__NeuralAudio/Utils_Models_BossWN-nano.nam",
    "nam-a2": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_wavenet_a2_lite.nam",
    "nam-convnet": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_convnet_nobn.nam",
    "nam-linear": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_linear_fft_rf320.nam",
    "wavenetva": "wavenetva/GuitarML__SmartGuitarAmp/models_bluej_clean_p0088.json",
}


def largest_jump(sound: Sound) -> float:
    """Return the largest step from one sample to the next."""
    return float(np.abs(np.diff(sound)).max())


def test_a_switch_among_all_families_never_clicks(
    patient_jack: None, play_on_jack: Any, guitar: Sound, shared_data: Path, tmp_path: Path
) -> None:
    """Jumps from sample to sample at a switch stay within those of the two models alone."""
    library = tmp_path / "amps"
    library.mkdir()
    for name, file in FAMILIES.items():
        path = shared_data / "models" / file
        (library / f"{name}{path.suffix}").write_bytes(path.read_bytes())
    daemon, player = play_on_jack("--library", str(library), "--model", "clipper-lstm16")
    phone = daemon.client()
    piece = guitar[:PIECE_FRAMES]

    def load(name: str) -> None:
        phone.send("/nemo/model/load", name)
        answer = phone.wait("/nemo/done", "/nemo/error", seconds=LOAD_S)
        assert answer.address == "/nemo/done", answer.params

    alone: dict[str, float] = {}
    for name in FAMILIES:
        load(name)
        alone[name] = largest_jump(player.play(piece))
    before = list(FAMILIES)[-1]
    for name in FAMILIES:
        left = []

        def switch(name: str = name, left: list[int] = left) -> None:
            load(name)
            left.append(player.left)

        heard = player.play(piece, during=switch)
        assert left[0] > 0, "the guitar was over before the switch"
        allowed = max(alone[before], alone[name])
        jump = largest_jump(heard)
        print(f"{before} -> {name}: {jump:.4f}, alone {allowed:.4f}")  # noqa: T201
        # Where the two are not alike, a crossfade of equal power may add them up to sqrt(2).
        assert jump <= np.sqrt(2.0) * allowed
        assert phone.query("/nemo/model/current") == name
        before = name
