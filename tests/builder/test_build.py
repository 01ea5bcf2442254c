"""Building: rigs from models, and an error text for everything else."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.builder import answer as answer_module
from nemod.builder import build as build_module
from nemod.builder import build_steps as build_steps_module
from nemod.builder import chain_files, verify
from nemod.builder.answer import answer
from nemod.builder.build import build, build_chain
from nemod.builder.filled_chain import FilledChain
from nemod.builder.messages import (
    FULL_QUALITY,
    BuildFailure,
    BuildRequest,
    BuildResult,
    Reduction,
)
from nemod.builder.probe import verify_probe
from nemod.builder.verify import BLOCK_FRAMES
from nemod.chain import DEFAULT_CHAIN, read_chain
from nemod.common.errors import ModelError
from nemod.control.settings import Settings
from nemod.engine.compiled_rig import CompiledRig
from nemod.engine.program import fresh_state, load_program
from nemod.formats.impulse_response import ImpulseResponse
from nemod.formats.info import ModelInfo
from nemod.formats.model import Model, Probe
from nemod.fx.reverb import line_frames
from nemod.library import CABINETS
from nemod.parameters.table import TABLE
from tests.engine.conftest import RATE_HZ, alone64, tiny

BLOCK = 64
CHEAP = Reduction(1.0, is_reverb_cheap=True)

Saved = Callable[[Model], Path]


def request(path: Path, **positions: float) -> BuildRequest:
    return BuildRequest(
        request_id=9,
        chain=DEFAULT_CHAIN,
        files={"model": str(path)},
        rate_hz=RATE_HZ,
        block_frames=BLOCK,
        positions=positions,
    )


def probed(model: Model, sound: NDArray[np.float32], *knobs: float) -> Model:
    """Return the model with a probe whose output is computed in float64."""
    columns = [sound, *(np.full(sound.size, knob, np.float32) for knob in knobs)]
    expected = alone64(model, sound, knobs).astype(np.float32)
    return replace(model, probe=Probe(np.stack(columns, axis=1), expected))


def test_a_model_without_knobs_gets_a_drive_and_a_fader() -> None:
    """`gain` and `level` are controls of the rig."""
    built = build(tiny(), RATE_HZ, BLOCK, Settings({"gain": 1.0}))
    assert {"gain", "level"} <= set(built.layout)
    assert not [path for path in built.layout if path.startswith("knob/")]
    assert built.loaded.controls[built.layout.index("gain")] == pytest.approx(10.0**1.2)


def test_a_models_knobs_are_controls_of_the_rig() -> None:
    """The first and second are `gain` and `level`."""
    built = build(tiny("GRU", 2), RATE_HZ, BLOCK, Settings({"gain": 0.8, "level": 0.1}))
    layout = built.layout
    assert {"knob/1", "knob/2"} <= set(layout)
    assert not {"gain", "level"} & set(layout)
    assert built.loaded.controls[layout.index("knob/1")] == np.float32(0.8)
    assert built.loaded.controls[layout.index("knob/2")] == np.float32(0.1)


def test_every_rig_has_every_row_of_the_table_once() -> None:
    """Except for those that the control core uses itself, and the cabinet's without one."""
    impulse = ImpulseResponse(
        name="one", samples=np.ones(1, np.float32), rate_hz=RATE_HZ, channels=1, note=""
    )
    rows = sorted(row.path for row in TABLE if row.is_effect_control)
    layout = build(tiny(), RATE_HZ, BLOCK, Settings(), response=impulse).layout
    assert sorted(layout) == rows
    layout = build(tiny(), RATE_HZ, BLOCK, Settings()).layout
    assert sorted(layout) == [path for path in rows if not path.startswith("cab/")]


def test_a_rig_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes from the cache and sounds the same; another block size is compiled."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    model = tiny("LSTM")
    first, second = (build(model, RATE_HZ, BLOCK, Settings(), model_only=True) for _ in range(2))
    other = build(model, RATE_HZ, BLOCK + 1, Settings(), model_only=True)
    assert [first.cached, second.cached, other.cached] == [False, True, False]
    block = np.linspace(-0.5, 0.5, BLOCK, dtype=np.float32)
    sounds = [
        np.asarray(r.loaded.call(r.loaded.weights, r.loaded.controls, r.loaded.fresh(), block)[1])
        for r in (first, second)
    ]
    np.testing.assert_array_equal(*sounds)


def test_a_whole_rig_is_cached_if_nothing_was_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rig, built twice."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    found = [build(tiny(), RATE_HZ, BLOCK_FRAMES, Settings()).cached for _ in range(2)]
    assert found == [False, True]


def test_a_model_at_its_own_rate_needs_one_program(tmp_path: Path, monkeypatch: Any) -> None:
    """The rig that will play is tested itself: the cache holds its program and the verdict."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    build(tiny(), RATE_HZ, BLOCK_FRAMES + 32, Settings())
    assert len(list(tmp_path.glob("*.program"))) == 2


@pytest.mark.parametrize("first", [["model"], ["model", "model2"]], ids=["first", "second"])
def test_the_only_model_of_any_chain_is_tested(
    first: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With knobs, in a slot of any name, beside slots that the default chain does not have."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    chain = read_chain([*first, "delay", "delay2"])
    filled = FilledChain(chain=chain, models={first[-1]: tiny(knobs=1)})
    tested: list[list[float]] = []
    monkeypatch.setattr(
        verify, "residues", _noting(tested, first[-1], verify.residues, verify._test_controls)
    )
    rig = build_chain(filled, RATE_HZ, BLOCK, Settings(chain=chain))
    assert rig.layout.count("delay2/mix") == 1
    assert tested == [[0.5, 0.0, 1.0]]


def _noting(found: list[list[float]], slot: str, residues: Any, controls: Any) -> Any:
    """Return `residues`, which notes the positions of the model's first knob."""
    path = "knob/1" if slot == "model" else f"{slot}/knob/1"

    def noting(model: Model, rig: Any, rate_hz: int, place: Any) -> Any:
        at = rig.layout.index(path)
        found.append([float(one[at]) for one in controls(model, rig.layout, place)])
        return residues(model, rig, rate_hz, place)

    return noting


def test_of_several_models_each_needs_one_program(monkeypatch: Any) -> None:
    """Those at their own rate are tested at the block size of the rig that will play."""
    frames: list[int] = []
    compile_rig = build_steps_module.compile_rig

    def counting(spec: Any, block_frames: int, *rest: Any) -> Any:
        frames.append(block_frames)
        return compile_rig(spec, block_frames, *rest)

    monkeypatch.setattr(build_steps_module, "compile_rig", counting)
    models = {"model": tiny(), "model2": tiny(seed=5)}
    chain = FilledChain(chain=read_chain(["model", "model2"]), models=models)
    built = build_chain(chain, RATE_HZ, BLOCK_FRAMES + 32, Settings(chain=chain.chain))
    assert built.policies == {"model": "exact", "model2": "exact"}
    assert set(frames) == {BLOCK_FRAMES + 32}


def test_two_models_of_one_size_share_a_program(tmp_path: Path, monkeypatch: Any) -> None:
    """Their weights are arguments."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    one = build(tiny(seed=1), RATE_HZ, BLOCK, Settings(), model_only=True)
    other = build(tiny(seed=2), RATE_HZ, BLOCK, Settings(), model_only=True)
    assert (one.cached, other.cached) == (False, True)
    assert isinstance(one.shipped, CompiledRig)
    assert isinstance(other.shipped, CompiledRig)
    assert one.shipped.executable == other.shipped.executable


def test_a_damaged_program_is_compiled_again(tmp_path: Path, monkeypatch: Any) -> None:
    """It never prevents a model from being played."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    build(tiny(), RATE_HZ, BLOCK, Settings(), model_only=True)
    (program,) = tmp_path.glob("*.program")
    program.write_bytes(program.read_bytes()[:-100])
    assert not build(tiny(), RATE_HZ, BLOCK, Settings(), model_only=True).cached
    assert build(tiny(), RATE_HZ, BLOCK, Settings(), model_only=True).cached


# --- probes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "knobs"), [("LSTM", ()), ("GRU", (0.3, 0.8))])
def test_a_correct_probe_passes(
    unit: str, knobs: tuple[float, ...], guitar: NDArray[np.float32]
) -> None:
    """The result is the remaining error."""
    model = probed(tiny(unit, len(knobs)), guitar[:300], *knobs)
    error = verify_probe(model)
    assert error is not None
    assert error < 1e-6


def test_a_model_without_a_probe_is_accepted() -> None:
    """Without a result."""
    assert verify_probe(tiny()) is None


@pytest.mark.parametrize("change", [0.01, np.nan])
def test_a_wrong_probe_is_refused(change: float, guitar: NDArray[np.float32]) -> None:
    """With an error text that states the difference."""
    model = probed(tiny(), guitar[:300])
    assert model.probe is not None
    output = model.probe.output.copy()
    output[200] += change
    wrong = replace(model, probe=model.probe._replace(output=output))
    with pytest.raises(ModelError, match="probe inside the file does not come out: off by"):
        verify_probe(wrong)


# --- requests ----------------------------------------------------------------------------------


def test_a_request_is_answered_with_a_rig_that_plays(
    saved: Saved, guitar: NDArray[np.float32]
) -> None:
    """The result has all that the audio process and the daemon need."""
    model = replace(
        probed(tiny("GRU", 2), guitar[:300], 0.5, 0.5),
        info=ModelInfo(author="A", esr=0.01, other={"secret": 1}),
    )
    built = answer(request(saved(model), gain=0.9, mute=1.0))
    assert isinstance(built, BuildResult)
    assert (built.request_id, built.latency_frames) == (9, 0)
    assert [knob.name for knob in built.knobs["model"]] == ["gain", "tone"]
    rig: CompiledRig = pickle.loads(built.rig)
    controls = dict(zip(built.layout, rig.controls.tolist(), strict=True))
    assert controls["knob/1"] == pytest.approx(0.9)
    assert controls["mute"] == 1.0
    program = load_program(rig, BLOCK)
    block = np.full(BLOCK, 0.5, np.float32)
    _, sound = program.call(rig.weights, rig.controls, fresh_state(rig), block)
    output = np.asarray(sound)
    assert output.shape == (BLOCK + 3,)
    assert not output[:BLOCK].any()  # muted
    assert output[-3:-1].tolist() == [0.5, 0.0]
    info = built.infos["model"]
    assert info["architecture"] == "GRU 4, dense 1, skip"
    assert info["knobs"] == ["gain", "tone"]
    assert (info["author"], info["esr"]) == ("A", 0.01)
    assert (info["model_rate_hz"], info["rate_policy"]) == (RATE_HZ, "exact")
    assert "secret" not in info
    assert info["probe_error"] < 1e-6
    assert json.loads(json.dumps(info)) == info


def test_a_reduced_rig_has_a_cheaper_reverb_and_other_state() -> None:
    """Its knobs are the same; how far it is reduced is part of the answer."""
    full, reduced = (
        answer(replace(request(Path()), files={}, reduction=reduction))
        for reduction in (FULL_QUALITY, CHEAP)
    )
    assert isinstance(full, BuildResult)
    assert isinstance(reduced, BuildResult)
    assert (full.reduction, reduced.reduction) == (FULL_QUALITY, CHEAP)
    assert full.layout == reduced.layout
    numbers = [sum(each.size for each in pickle.loads(one.rig).state) for one in (full, reduced)]
    # Four lines are missing, each as long as the longest one at least.
    assert numbers[0] - numbers[1] > 4 * line_frames(RATE_HZ)[-1]


def test_a_reduced_size_is_an_upper_bound(tmp_path: Path) -> None:
    """A smaller one that is wanted is played all the same."""
    path = tmp_path / "sizes.nam"
    members = [
        {
            "max_value": limit,
            "model": {
                "version": "0.5.4",
                "architecture": "Linear",
                "config": {"receptive_field": taps, "bias": False},
                "weights": [1.0 / taps] * taps,
            },
        }
        for taps, limit in ((1, 0.3), (2, 0.6), (3, 1.0))
    ]
    document = {"version": "0.7.0", "architecture": "SlimmableContainer", "weights": []}
    path.write_text(json.dumps(document | {"config": {"submodels": members}}))

    def architecture(size: float | None, allowed: float) -> str:
        chain = DEFAULT_CHAIN.with_slot(replace(DEFAULT_CHAIN["model"], size=size))
        asked = replace(request(path), chain=chain, reduction=Reduction(allowed))
        built = answer(asked)
        assert isinstance(built, BuildResult)
        assert built.sizes == {"model": (0.0, 0.3, 0.6)}
        return str(built.infos["model"]["architecture"])

    full, middle, small = (architecture(None, allowed) for allowed in (1.0, 0.3, 0.0))
    assert len({full, middle, small}) == 3
    assert (architecture(0.9, 0.3), architecture(0.1, 0.3)) == (middle, small)


def test_the_clean_rig_changes_nothing() -> None:
    """A request without a file: with all knobs at their defaults the output equals the input.

    Except for the DC blocker, whose corner is below 10 Hz.
    """
    built = answer(replace(request(Path("none")), files={}))
    assert isinstance(built, BuildResult)
    rig = pickle.loads(built.rig)
    assert (built.knobs, built.infos) == ({}, {})
    program = load_program(rig, BLOCK)
    block = 0.1 * np.sin(2 * np.pi * 1000.0 * np.arange(BLOCK) / RATE_HZ).astype(np.float32)
    _, sound = program.call(rig.weights, rig.controls, fresh_state(rig), block)
    assert np.asarray(sound)[:-3] == pytest.approx(block, abs=2e-3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b"{", "line 1 column 2: not JSON"),
        (b"{}", "no known kind of model"),
    ],
)
def test_a_file_without_a_model_is_refused_with_a_reason(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """The reason begins with the name of the file."""
    path = tmp_path / "amp.json"
    if content is not None:
        path.write_bytes(content)
    refused = answer(request(path))
    assert isinstance(refused, BuildFailure)
    assert (refused.request_id, refused.slot) == (9, "model")
    assert refused.reason.startswith(f"{path}: ")
    assert reason in refused.reason


def test_an_unexpected_error_is_a_failure_too(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The builder lives on."""

    def fails(*_: object, **__: object) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr(answer_module, "build_chain", fails)
    path = saved(tiny())
    expected = BuildFailure(request_id=9, reason=f"{path}: MemoryError: out of memory")
    assert answer(request(path)) == expected


@pytest.mark.parametrize("stage", ["load_impulse_response", "describe_cabinet", "cabinet"])
def test_an_unexpected_error_at_the_cabinet_is_the_cabinet_s(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the rig can be built without it."""

    def fails(*_: object, **__: object) -> None:
        raise MemoryError("out of memory")

    modules: dict[str, Any] = {
        "load_impulse_response": chain_files,
        "describe_cabinet": answer_module,
        "cabinet": build_module,
    }
    monkeypatch.setattr(modules[stage], stage, fails)
    name = CABINETS.shipped_folder() / "sim-closed-4x12.flac"
    asked = replace(request(Path()), files={"cab": str(name)})
    reason = f"{name}: MemoryError: out of memory"
    expected = BuildFailure(request_id=9, reason=reason, slot="cab")
    assert answer(asked) == expected
