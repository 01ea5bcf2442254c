"""The cabinet in a rig: the same sound as numpy's, the same rig without one, and no clicks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod import render
from nemod.builder.answer import answer
from nemod.builder.build import build
from nemod.builder.filled_chain import clean
from nemod.builder.messages import BuildFailure, BuildRequest, BuildResult
from nemod.chain import DEFAULT_CHAIN
from nemod.control.settings import Settings
from nemod.engine.active_rig import ActiveRig, LoadedRig
from nemod.engine.chain import Content
from nemod.engine.engine import Engine
from nemod.engine.parts import whole_rig
from nemod.formats.impulse_response import (
    ImpulseResponse,
    load_impulse_response,
    playable,
)
from nemod.fx.cabinet import cabinet
from nemod.library import CABINETS
from tests.engine.conftest import RATE_HZ, tiny
from tests.engine.rigs import BLOCK

ON = {"cab/enable": 1.0}


def response(frames: int = 900, rate_hz: int = RATE_HZ, seed: int = 5) -> ImpulseResponse:
    """Return a decaying response whose first sample is its largest."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0.0, 0.3, frames) * np.exp(-6.0 * np.arange(frames) / frames)
    samples[0] = 1.0
    return ImpulseResponse(
        name="cab", samples=samples.astype(np.float32), rate_hz=rate_hz, channels=1, note=""
    )


@pytest.fixture(scope="module")
def sound() -> NDArray[np.float32]:
    """Quiet noise: nothing of it reaches the limiter."""
    return np.random.default_rng(8).normal(0.0, 0.02, 3200).astype(np.float32)


@pytest.mark.parametrize(
    "rate_hz", [48_000, *(pytest.param(hz, marks=pytest.mark.long) for hz in (44_100, 96_000))]
)
def test_equals_float64_convolution_in_the_rig(sound: Any, rate_hz: int) -> None:
    """All else is flat: the output is the convolution of the output without a cabinet."""
    cab = response(rate_hz=48_000)
    bare = render(clean(), sound, rate_hz).astype(np.float64)
    expected = np.convolve(bare, playable(cab, rate_hz))[: sound.size]
    found = render(clean(), sound, rate_hz, cab=cab)
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.long
@pytest.mark.parametrize("block", [32, 100, 131])
def test_the_block_is_a_detail(sound: Any, block: int) -> None:
    """The same sound in other blocks."""
    found = [render(clean(), sound, RATE_HZ, cab=response(), block=size) for size in (64, block)]
    assert np.abs(found[0] - found[1]).max() < 2e-6 * np.abs(found[0]).max()


def test_a_cabinet_that_is_off_changes_no_bit(sound: Any) -> None:
    """And neither does its level."""
    settings = {"cab/enable": 0.0, "cab/level": 1.0, "delay/mix": 0.5, "bass": 0.7}
    bare = render(tiny(), sound, RATE_HZ, settings=settings)
    off = render(tiny(), sound, RATE_HZ, settings=settings, cab=response())
    assert np.array_equal(bare, off)
    assert not np.array_equal(bare, render(tiny(), sound, RATE_HZ, cab=response()))


def test_a_rig_without_a_cabinet_has_nothing_of_it() -> None:
    """Neither controls nor weights nor state."""
    layout = whole_rig(Content(models={"model": tiny()}), RATE_HZ).layout
    assert not [path for path in layout if path.startswith("cab/")]
    bare, with_one = (
        build(tiny(), RATE_HZ, BLOCK, Settings(), response=cab) for cab in (None, response())
    )
    shipped: Any = [bare.shipped, with_one.shipped]
    numbers = [sum(array.size for array in rig.weights) for rig in shipped]
    own = cabinet(playable(response(), RATE_HZ), BLOCK).weights
    assert numbers[1] - numbers[0] == sum(array.size for array in own)
    # Spectra, position and overlap of the output.
    assert len(shipped[1].places) - len(shipped[0].places) == 3
    assert [path for path in with_one.layout if path not in bare.layout] == [
        "cab/enable",
        "cab/level",
    ]
    assert bare.latency_frames == with_one.latency_frames == 0


def test_cabinets_of_one_class_share_a_program() -> None:
    """So the second one is only read."""
    rigs: list[Any] = [
        build(tiny(), RATE_HZ, BLOCK, Settings(), response=response(frames, seed=seed)).shipped
        for frames, seed in ((700, 1), (1000, 2))
    ]
    assert rigs[0].executable == rigs[1].executable


def test_a_model_of_another_rate_plays_through_a_cabinet(sound: Any) -> None:
    """Which runs at the device's rate, after the resamplers."""
    model, cab, rate_hz = tiny("GRU"), response(), 32_000
    built = build(model, rate_hz, BLOCK, Settings(ON), response=cab)
    bare = build(model, rate_hz, BLOCK, Settings())
    outputs = []
    for rig in (bare.loaded, built.loaded):
        state, out = rig.fresh(), []
        for start in range(0, sound.size, BLOCK):
            state, heard = rig.call(rig.weights, rig.controls, state, sound[start : start + BLOCK])
            out.append(np.asarray(heard)[:BLOCK])
        outputs.append(np.concatenate(out).astype(np.float64))
    expected = np.convolve(outputs[0], playable(cab, rate_hz))[: sound.size]
    assert (built.policies, built.latency_frames) == (bare.policies, bare.latency_frames)
    assert bare.policies == {"model": "resample"}
    assert np.abs(outputs[1] - expected).max() < 2e-6 * np.abs(expected).max()


def through_engine(
    rigs: list[LoadedRig], sound: NDArray[np.float32], change: int
) -> NDArray[np.float32]:
    """Return what an engine plays that changes to the second rig at a block."""
    engine = Engine(RATE_HZ, BLOCK)
    engine.pending_rig = ActiveRig(1, rigs[0])
    out = np.empty_like(sound)
    for number, start in enumerate(range(0, sound.size, BLOCK)):
        if number == change:
            engine.pending_rig = ActiveRig(2, rigs[1])
        engine.process(sound[start : start + BLOCK], out[start : start + BLOCK])
    return out


def test_a_change_of_cabinet_does_not_click() -> None:
    """What the former one has begun rings out, so no step is larger than the cabinets' own."""
    names = ("sim-open-1x12", "sim-closed-4x12")
    files = [CABINETS.shipped_folder() / f"{name}.flac" for name in names]
    first, second = (
        build(clean(), RATE_HZ, BLOCK, Settings(ON), response=load_impulse_response(file)).loaded
        for file in files
    )
    frames = np.arange(RATE_HZ // 4 // BLOCK * BLOCK)
    tone = (0.1 * np.sin(2.0 * np.pi * 330.0 * frames / RATE_HZ)).astype(np.float32)
    half, never = tone.size // 2 // BLOCK, tone.size
    changed = through_engine([first, second], tone, half)
    alone = [through_engine([one, one], tone, never) for one in (first, second)]
    third = tone.size // 3
    own = max(np.abs(np.diff(one[third:])).max() for one in alone)
    assert np.abs(np.diff(changed[third:])).max() < 1.05 * own
    assert np.array_equal(changed[: half * BLOCK], alone[0][: half * BLOCK])
    np.testing.assert_allclose(changed[-third // 2 :], alone[1][-third // 2 :], atol=1e-4)


def test_a_change_to_the_same_cabinet_is_not_heard() -> None:
    """The next rig continues the convolution, as for another preset with the same cabinet."""
    rig = build(clean(), RATE_HZ, BLOCK, Settings(ON), response=response()).loaded
    sound = np.random.default_rng(4).normal(0.0, 0.02, 100 * BLOCK).astype(np.float32)
    changed, still = (through_engine([rig, rig], sound, change) for change in (50, sound.size))
    # The DC blocker starts anew, with the offset of one sample.
    assert np.abs(changed - still).max() < 0.02 * np.abs(still).max()


def test_the_switch_and_the_level_glide() -> None:
    """Within some 20 ms, without a step."""
    built = build(clean(), RATE_HZ, BLOCK, Settings(), response=response())
    rig, state = built.loaded, built.loaded.fresh()
    moved = Settings({"cab/enable": 1.0, "cab/level": 0.8}).vector(built.layout)
    frames = np.arange(6000 // BLOCK * BLOCK)
    tone = (0.1 * np.sin(2.0 * np.pi * 330.0 * frames / RATE_HZ)).astype(np.float32)
    out = []
    for number, start in enumerate(range(0, tone.size, BLOCK)):
        controls = moved if number >= 40 else rig.controls
        state, heard = rig.call(rig.weights, controls, state, tone[start : start + BLOCK])
        out.append(np.asarray(heard)[:BLOCK])
    played = np.concatenate(out)
    still = max(np.abs(np.diff(played[:2500])).max(), np.abs(np.diff(played[-1500:])).max())
    assert np.abs(np.diff(played)).max() < 1.1 * still
    assert np.abs(played[-1500:]).max() > 1.2 * np.abs(played[:2500]).max()


def request(cabinet: Path | str) -> BuildRequest:
    """Return a request for the clean rig with a cabinet."""
    return BuildRequest(
        request_id=1,
        chain=DEFAULT_CHAIN,
        files={"cab": str(cabinet)},
        rate_hz=RATE_HZ,
        block_frames=BLOCK,
        positions={},
    )


def test_the_builder_reads_the_cabinet(tmp_path: Path) -> None:
    """And describes it; a file that is none is the cabinet's fault, not the model's."""
    import soundfile

    path = tmp_path / "mine.wav"
    soundfile.write(path, response().samples, 44_100, subtype="FLOAT")
    result = answer(request(path))
    assert isinstance(result, BuildResult)
    assert result.infos["cab"] == {
        "name": "mine",
        "sample_rate": 44_100,
        "channels": 1,
        "frames": 900,
        "length_ms": 20.4,
        "taps": playable(response(rate_hz=44_100), RATE_HZ).size,
        "played_hz": RATE_HZ,
    }
    path.write_text("no sound")
    failure = answer(request(path))
    assert isinstance(failure, BuildFailure)
    assert failure.slot == "cab"
    assert failure.reason.startswith(f"{path}: cannot be read as sound")
    without = answer(request(""))
    assert isinstance(without, BuildResult)
    assert without.infos == {}
