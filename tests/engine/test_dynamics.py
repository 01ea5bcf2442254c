"""Gate and compressor go on through a change of rig, with real rigs in the engine."""

import numpy as np
import pytest

from nemod.builder.build import build
from nemod.builder.filled_chain import clean
from nemod.control.settings import Settings
from nemod.engine.active_rig import ActiveRig
from nemod.engine.engine import Engine
from tests.engine.rigs import BLOCK, RATE_HZ

GATE = {"gate/enable": 1.0, "gate/threshold": 0.8}
COMPRESSOR = {"comp/enable": 1.0, "comp/threshold": 0.2, "comp/release": 1.0}


@pytest.mark.parametrize("positions", [GATE, COMPRESSOR], ids=["gate", "compressor"])
def test_they_go_on_through_the_next_rig(positions: dict[str, float]) -> None:
    """A loud note opened the gate: what rings on below the threshold sounds as without a change.

    The compressor had reduced the note and is on its way back.
    """
    frames = np.arange(RATE_HZ // 2 // BLOCK * BLOCK)
    note = 0.5 * np.sin(2.0 * np.pi * 220.0 * frames / RATE_HZ)
    # The gate's threshold is at -34 dBFS, and it closes at -40.
    note[frames > RATE_HZ // 10] *= 10.0 ** (-31.0 / 20.0)
    sound = note.astype(np.float32)
    rig = build(clean(), RATE_HZ, BLOCK, Settings(positions)).loaded
    outputs = []
    for change in (None, RATE_HZ // 5 // BLOCK):
        engine = Engine(RATE_HZ, BLOCK)
        engine.pending_rig = ActiveRig(1, rig)
        out = np.empty_like(sound)
        for number, start in enumerate(range(0, sound.size, BLOCK)):
            if number == change:
                engine.pending_rig = ActiveRig(2, rig)
            engine.process(sound[start : start + BLOCK], out[start : start + BLOCK])
        assert engine.active_rigs[0].rig_id == (1 if change is None else 2)
        outputs.append(out)
    still, changed = outputs
    assert np.max(np.abs(still[RATE_HZ // 4 :])) > 1e-3
    # The DC blocker starts anew in the next rig; that of a tone of 220 Hz settles within 2 %.
    assert np.max(np.abs(changed - still)) < 0.05 * np.max(np.abs(still[RATE_HZ // 5 :]))
