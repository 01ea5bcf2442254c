"""Warm-up: when it ends, and in which state a rig starts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nemod.builder import warm_up
from nemod.builder.build import build
from nemod.builder.warm_up import WARM_UP_CAP_S
from nemod.control.settings import Settings
from nemod.engine.compiled_rig import CompiledRig
from nemod.engine.packing import leaves_of
from nemod.engine.program import state_leaves
from tests.engine.conftest import RATE_HZ, tiny

BLOCK = 64


def test_the_model_rests_when_the_rig_is_built() -> None:
    """One more block of silence leaves its state as it is."""
    built = build(tiny(), RATE_HZ, BLOCK, Settings())
    rig = built.loaded
    after, sound = rig.call(rig.weights, rig.controls, rig.fresh(), np.zeros(BLOCK, np.float32))
    assert np.abs(np.asarray(sound)[:BLOCK]).max() < 1e-6
    assert isinstance(built.shipped, CompiledRig)
    start = leaves_of(built.shipped.state, built.shipped.places)
    for before, now in zip(start, state_leaves(built.shipped, after), strict=True):
        if before.dtype == np.float32:
            np.testing.assert_allclose(now, before, atol=1e-5)


def test_the_warm_up_of_a_model_that_never_rests_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two seconds of its time."""
    monkeypatch.setattr(warm_up, "REST_PEAK", -1.0)
    calls = []
    load = warm_up.load_part

    def counting(*what: Any) -> Any:
        program = load(*what)

        def call(*arguments: Any) -> Any:
            calls.append(1)
            return program.call(*arguments)

        return replace(program, call=call)

    monkeypatch.setattr(warm_up, "load_part", counting)
    build(tiny(), RATE_HZ, BLOCK, Settings())
    assert len(calls) * BLOCK == pytest.approx(WARM_UP_CAP_S * RATE_HZ, abs=BLOCK)


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
def test_a_rig_that_rests_at_an_offset_starts_silent(rate_hz: int) -> None:
    """At the model's own rate and resampled, the DC blocker is settled in the same way."""
    model = tiny("GRU")
    head = model.weights[1]
    offset = replace(model, weights=(model.weights[0], head._replace(bias=head.bias + 0.5)))
    rig = build(offset, rate_hz, BLOCK, Settings({"reverb/mix": 0.5, "delay/mix": 0.5})).loaded
    state = rig.fresh()
    for _ in range(20):
        silence = np.zeros(BLOCK, np.float32)
        state, sound = rig.call(rig.weights, rig.controls, state, silence)
        assert np.abs(np.asarray(sound)[:BLOCK]).max() < 1e-4
