"""Switches between models of every family while a guitar plays through a real JACK server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system.conftest import RATE, Sound

pytestmark = [pytest.mark.jack, pytest.mark.portaudio]

PIECE_FRAMES = 3 * RATE // 2
"""Longer than it takes to load a model from the cache of compiled programs."""
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

FEW = ("guitarml-gru", "aida-x", "nam-a1", "nam-convnet", "wavenetva")
"""One of each kind of network."""


def largest_jump(sound: Sound) -> float:
    """Return the largest step from one sample to the next."""
    return float(np.abs(np.diff(sound)).max())


@pytest.mark.parametrize(
    "families",
    [FEW, pytest.param(tuple(FAMILIES), marks=pytest.mark.long)],
    ids=["few", "all"],
)
def test_a_switch_between_families_does_not_click(
    synchronous_jack: None,
    play_on_jack: Any,
    guitar: Sound,
    shared_data: Path,
    tmp_path: Path,
    families: Sequence[str],
) -> None:
    """The steps between samples during a switch are no larger than those of the models alone."""
    library = tmp_path / "amps"
    library.mkdir()
    for name in families:
        path = shared_data / "models" / FAMILIES[name]
        (library / f"{name}{path.suffix}").write_bytes(path.read_bytes())
    daemon, player = play_on_jack("--library", str(library), "--model", "clipper-lstm16")
    client = daemon.client()
    piece = guitar[:PIECE_FRAMES]

    def load(name: str) -> None:
        client.send("/nemo/model/load", name)
        answer = client.wait("/nemo/done", "/nemo/error", seconds=LOAD_S)
        assert answer.address == "/nemo/done", answer.params

    alone: dict[str, float] = {}
    for name in families:
        load(name)
        # Twice, because a machine that is held up loses some of the sound.
        alone[name] = max(largest_jump(player.play(piece)) for _ in range(2))
    before = families[-1]
    for name in families:
        remaining = []

        def switch(name: str = name, remaining: list[int] = remaining) -> None:
            load(name)
            remaining.append(player.remaining_frames)

        output = player.play(piece, during=switch)
        assert remaining[0] > 0, "the guitar ended before the switch"
        allowed = max(alone[before], alone[name])
        jump = largest_jump(output)
        print(f"{before} -> {name}: {jump:.4f}, alone {allowed:.4f}")  # noqa: T201
        # An equal-power crossfade of two equal signals peaks at sqrt(2).
        assert jump <= np.sqrt(2.0) * allowed
        assert client.query("/nemo/model/current") == name
        before = name
