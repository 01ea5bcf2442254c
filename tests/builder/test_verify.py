"""The test of a rig: what passes, what is replaced, what is refused, and that it is done once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nemod.builder import build as build_module
from nemod.builder import verify
from nemod.builder.build import build
from nemod.builder.rate_policy import RatePolicy
from nemod.builder.verify import find_fault, residues, verified
from nemod.common.errors import ModelError
from nemod.control.settings import Settings
from nemod.engine.active_rig import LoadedRig
from nemod.formats.model import Knob
from nemod.formats.rate import with_taps
from nemod.formats.state_delay import lagrange_delay
from tests.engine.conftest import tiny
from tests.parts.cells import slow_memory

RATE_HZ = 48_000
BLOCK = 480
MODEL = replace(tiny(), sample_rate=RATE_HZ)

Wave = Callable[[int, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Fake:
    """A rig without a model: `wave(frame, input)` is its output."""

    loaded: LoadedRig
    layout: tuple[str, ...] = ("gain",)
    block_frames: int = 64


def fake(wave: Wave, layout: tuple[str, ...] = ("gain",)) -> Fake:
    """Return a rig whose state is the number of frames played."""

    def call(_weights: Any, controls: Any, state: Any, block: Any) -> Any:
        (frame,) = state
        out = wave(frame, block)
        return [frame + block.size], np.append(out, [0.0, 0.0, np.abs(out).sum()])

    controls = np.zeros(len(layout), np.float32)
    return Fake(LoadedRig(call=call, weights=[], controls=controls, fresh=lambda: [0]), layout)


def hum(amplitude: float) -> Wave:
    """Return a sine of 1 kHz."""
    return lambda frame, block: (
        amplitude * np.sin(2.0 * np.pi * 1000.0 / RATE_HZ * (frame + np.arange(block.size)))
    )


def test_what_is_left_is_measured_without_its_offset() -> None:
    """A sine of amplitude 0.01 on an offset of 0.3 is -43 dBFS: 20 log10(0.01 / sqrt(2))."""
    rig = fake(lambda frame, block: 0.3 + hum(0.01)(frame, block))
    (residue,) = residues(MODEL, rig, RATE_HZ)
    assert residue.is_finite
    assert residue.level_db == pytest.approx(-43.01, abs=0.01)


def test_the_test_signal() -> None:
    """A second of noise at -20 dBFS and a second of silence, the same every time."""
    heard: list[np.ndarray] = []

    def keep(_frame: int, block: np.ndarray) -> np.ndarray:
        heard.append(block.copy())
        return block

    list(residues(MODEL, fake(keep), RATE_HZ))
    first = np.concatenate(heard)
    heard.clear()
    list(residues(MODEL, fake(keep), RATE_HZ))
    assert np.sqrt(np.mean(first[:RATE_HZ] ** 2)) == pytest.approx(0.1, rel=0.02)
    assert not first[RATE_HZ:].any()
    assert first.size == 2 * RATE_HZ
    np.testing.assert_array_equal(np.concatenate(heard), first)


@pytest.mark.parametrize(
    ("amplitude", "own", "passes"),
    [
        (0.0, 0.0, True),
        (0.0013, 0.0, True),  # -60.7 dBFS
        (0.0015, 0.0, False),  # -59.5 dBFS
        (0.1, 0.0, False),
        (0.1, 0.06, True),  # 4.4 dB above its own rate's hum
        (0.1, 0.045, False),  # 6.9 dB
    ],
)
def test_a_hum_is_allowed_where_the_model_hums_by_itself(
    amplitude: float, own: float, passes: bool
) -> None:
    """Below -60 dBFS, or at most 6 dB above what the model does at its own rate."""
    fault = find_fault(MODEL, fake(hum(amplitude)), RATE_HZ, lambda: fake(hum(own)))
    assert (not fault) == passes


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("at", [0, RATE_HZ // 2, 2 * RATE_HZ - 1])
def test_one_sample_that_is_not_finite_is_a_fault(bad: float, at: int) -> None:
    """Wherever it stands, and at the model's own rate too."""
    rig = fake(lambda frame, block: np.where(np.arange(block.size) + frame == at, bad, 0.0))
    assert "not finite" in find_fault(MODEL, rig, RATE_HZ, None)


def test_the_own_rate_is_built_only_where_it_is_needed() -> None:
    """It takes a compilation."""

    def fails() -> Fake:
        raise AssertionError

    assert find_fault(MODEL, fake(hum(0.0)), RATE_HZ, fails) == ""


def test_knobs_are_tested_at_their_defaults_and_both_ends() -> None:
    """All together; what stands around the model is flat."""
    model = replace(MODEL, knobs=(Knob("drive", default=0.3), Knob("tone", default=0.8)))
    layout = ("knob/1", "knob/2", "delay/mix")
    seen = [tuple(map(float, c)) for c in verify._test_controls(model, layout, verify.ALONE)]
    flat = float(Settings().vector(["delay/mix"])[0])
    assert seen == [
        (pytest.approx(0.3), pytest.approx(0.8), flat),
        (0.0, 0.0, flat),
        (1.0, 1.0, flat),
    ]


# --- what follows from it ------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    return tmp_path


class Maker:
    """Builds rigs that hum, and remembers what it was asked for."""

    def __init__(self, **amplitudes: float) -> None:
        self.amplitudes = amplitudes
        self.asked: list[tuple[str, int]] = []

    def __call__(self, policy: RatePolicy, rate_hz: int) -> Fake:
        self.asked.append((policy, rate_hz))
        return fake(hum(self.amplitudes[policy]))


@pytest.mark.usefixtures("cache")
def test_a_delayed_rig_that_oscillates_is_resampled() -> None:
    """Its verdict is kept: the next time no rig is built for it."""
    maker = Maker(delay=0.5, resample=0.0, exact=0.0)
    assert verified(MODEL, "delay", 88_200, maker) == "resample"
    assert maker.asked == [("delay", 88_200), ("exact", RATE_HZ), ("resample", 88_200)]
    maker.asked.clear()
    assert verified(MODEL, "delay", 88_200, maker) == "resample"
    assert maker.asked == []


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("policy", ["delay", "resample"])
def test_a_model_without_a_rig_that_passes_is_refused(policy: RatePolicy) -> None:
    """Each time, in a sentence with the figures: 0.5 / sqrt(2) is -9 dBFS."""
    maker = Maker(delay=0.5, resample=0.5, exact=0.005)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"at 88200 Hz .* -9 dBFS .* own rate of 48000 Hz -49"):
            verified(MODEL, policy, 88_200, maker)


def test_a_rig_is_tested_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a model's weights, a rate and a policy; a damaged verdict is replaced."""
    tests: list[int] = []
    find = verify.find_fault

    def counting(*what: Any) -> str:
        tests.append(1)
        return find(*what)

    monkeypatch.setattr(verify, "find_fault", counting)
    maker = Maker(delay=0.0, resample=0.0, exact=0.0)
    for _ in range(2):
        verified(MODEL, "delay", 96_000, maker)
    assert len(tests) == 1
    verified(MODEL, "resample", 96_000, maker)
    verified(MODEL, "delay", 192_000, maker)
    other = replace(tiny(seed=4), sample_rate=RATE_HZ)
    verified(other, "delay", 96_000, maker)
    assert len(tests) == 4
    for kept in cache.iterdir():
        kept.write_bytes(kept.read_bytes()[:-1])
    verified(MODEL, "delay", 96_000, maker)
    assert len(tests) == 5


@pytest.mark.usefixtures("cache")
@pytest.mark.long
def test_a_cell_with_gain_in_its_loop_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Third-order interpolation makes a slow cell oscillate at 88.2 kHz: it is resampled."""
    model = slow_memory()
    assert build(model, 88_200, BLOCK, Settings()).policies["model"] == "delay"
    monkeypatch.setattr(
        build_module,
        "with_state_delay",
        lambda network, ratio: with_taps(network, lagrange_delay(ratio, range(1, 5))),
    )
    changed = replace(model, weights=(model.weights[0], model.weights[1]._replace(
        w=np.asarray(model.weights[1].w * np.float32(0.9)))))  # fmt: skip
    assert build(changed, 88_200, BLOCK, Settings()).policies["model"] == "resample"


@pytest.mark.long
def test_a_verdict_depends_on_neither_block_size_nor_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured levels are the same to the last bit, and one verdict serves all block sizes."""
    found: list[list[float]] = []
    measure = verify.residues

    def keeping(*what: Any) -> list[verify.Residue]:
        measured = list(measure(*what))
        found.append([residue.level_db for residue in measured])
        return measured

    monkeypatch.setattr(verify, "residues", keeping)
    model = replace(tiny(knobs=1), sample_rate=RATE_HZ)
    for name, block, knob in (("one", 16, 0.9), ("other", BLOCK, 0.1)):
        monkeypatch.setenv("NEMOD_CACHE", str(tmp_path / name))
        assert build(model, 96_000, block, Settings({"knob/1": knob})).policies["model"] == "delay"
    assert found[0] == found[1]
    assert np.isfinite(found[0]).all()
    build(model, 96_000, 240, Settings())
    assert len(found) == 2


@pytest.mark.usefixtures("cache")
def test_a_model_that_is_not_finite_is_refused_at_its_own_rate() -> None:
    """A rig is tested whatever its policy."""
    model = tiny()
    layer, head = model.weights
    broken = replace(model, weights=(layer, head._replace(w=head.w * np.float32(np.inf))))
    with pytest.raises(ModelError, match="not finite"):
        build(broken, RATE_HZ, BLOCK, Settings())
