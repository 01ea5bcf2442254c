"""The foundry: rigs from models, and a sentence from what is none."""

import json
import pickle
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.builder import build as build_module
from nemod.builder.build import WARM_UP_CAP_S, answer, build, verify_probe
from nemod.common.errors import ModelError
from nemod.control.settings import Settings
from nemod.engine.ipc import (
    BuildFailure,
    BuildRequest,
    BuildResult,
    CompiledRig,
    receive_frame,
    send_frame,
)
from nemod.engine.rig import load_program
from nemod.formats.info import ModelInfo
from nemod.formats.model import Model, Probe
from tests.engine.conftest import RATE_HZ, alone64, tiny

BLOCK = 64

Session = Callable[[Model], Path]


def order(path: Path, **positions: float) -> BuildRequest:
    return BuildRequest(
        request_id=9, path=str(path), rate_hz=RATE_HZ, block_frames=BLOCK, positions=positions
    )


def probed(model: Model, sound: NDArray[np.float32], *knobs: float) -> Model:
    """Return the model with a probe whose output is float64's own."""
    columns = [sound, *(np.full(sound.size, knob, np.float32) for knob in knobs)]
    expected = alone64(model, sound, knobs).astype(np.float32)
    return replace(model, probe=Probe(np.stack(columns, axis=1), expected))


def test_without_knobs_the_drive_and_the_fader_take_their_place() -> None:
    """Gain and level are controls of the rig."""
    ready = build(tiny(), RATE_HZ, BLOCK, Settings({"gain": 1.0}))
    assert {"gain", "level"} <= set(ready.layout)
    assert not [path for path in ready.layout if path.startswith("knob/")]
    assert ready.loaded.controls[ready.layout.index("gain")] == pytest.approx(10.0**1.2)


def test_a_models_knobs_are_controls_of_the_rig() -> None:
    """They stand in for gain and level."""
    ready = build(tiny("GRU", 2), RATE_HZ, BLOCK, Settings({"gain": 0.8, "level": 0.1}))
    layout = ready.layout
    assert {"knob/1", "knob/2"} <= set(layout)
    assert not {"gain", "level"} & set(layout)
    assert ready.loaded.controls[layout.index("knob/1")] == np.float32(0.8)
    assert ready.loaded.controls[layout.index("knob/2")] == np.float32(0.1)


def test_every_rig_has_every_other_row_once() -> None:
    """The order is the rig's own, the set is the table's."""
    layout = build(tiny(), RATE_HZ, BLOCK, Settings()).layout
    assert sorted(layout) == sorted(Settings().positions())


def test_a_rig_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comes from the disk and sounds as the first; another size is compiled anew."""
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


def test_two_models_of_one_size_share_a_program(tmp_path: Path, monkeypatch: Any) -> None:
    """Their numbers are arguments."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    one = build(tiny(seed=1), RATE_HZ, BLOCK, Settings(), model_only=True)
    other = build(tiny(seed=2), RATE_HZ, BLOCK, Settings(), model_only=True)
    assert (one.cached, other.cached) == (False, True)
    assert isinstance(one.shipped, CompiledRig)
    assert isinstance(other.shipped, CompiledRig)
    assert one.shipped.executable == other.shipped.executable


def test_a_damaged_cache_is_compiled_over(tmp_path: Path, monkeypatch: Any) -> None:
    """It never stops a model from being played."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path))
    build(tiny(), RATE_HZ, BLOCK, Settings(), model_only=True)
    (program,) = tmp_path.glob("*.program")
    program.write_bytes(program.read_bytes()[:-100])
    assert not build(tiny(), RATE_HZ, BLOCK, Settings(), model_only=True).cached
    assert build(tiny(), RATE_HZ, BLOCK, Settings(), model_only=True).cached


def test_the_model_rests_when_the_rig_is_built() -> None:
    """One more block of silence leaves the model where it is."""
    ready = build(tiny(), RATE_HZ, BLOCK, Settings())
    rig = ready.loaded
    after, sound = rig.call(rig.weights, rig.controls, rig.fresh(), np.zeros(BLOCK, np.float32))
    assert np.abs(np.asarray(sound)[:BLOCK]).max() < 1e-6
    assert isinstance(ready.shipped, CompiledRig)
    for before, now in zip(ready.shipped.state, after, strict=True):
        if before.dtype == np.float32:
            np.testing.assert_allclose(np.asarray(now), before, atol=1e-5)


def test_warming_up_a_model_that_never_rests_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After two seconds of its time."""
    monkeypatch.setattr(build_module, "REST_PEAK", -1.0)
    calls = []
    load = build_module.load_part

    def counting(*what: Any) -> Any:
        program = load(*what)

        def call(*arguments: Any) -> Any:
            calls.append(1)
            return program.call(*arguments)

        return replace(program, call=call)

    monkeypatch.setattr(build_module, "load_part", counting)
    build(tiny(), RATE_HZ, BLOCK, Settings())
    assert len(calls) * BLOCK == pytest.approx(WARM_UP_CAP_S * RATE_HZ, abs=BLOCK)


# --- probes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "knobs"), [("LSTM", ()), ("GRU", (0.3, 0.8))])
def test_a_true_probe_is_passed(
    unit: str, knobs: tuple[float, ...], guitar: NDArray[np.float32]
) -> None:
    """With the error that is left."""
    model = probed(tiny(unit, len(knobs)), guitar[:300], *knobs)
    error = verify_probe(model)
    assert error is not None
    assert error < 1e-6


def test_a_model_without_a_probe_proves_nothing() -> None:
    """And is not refused for it."""
    assert verify_probe(tiny()) is None


@pytest.mark.parametrize("change", [0.01, np.nan])
def test_a_false_probe_is_refused(change: float, guitar: NDArray[np.float32]) -> None:
    """In a sentence that says how far off it is."""
    model = probed(tiny(), guitar[:300])
    assert model.probe is not None
    output = model.probe.output.copy()
    output[200] += change
    wrong = replace(model, probe=model.probe._replace(output=output))
    with pytest.raises(ModelError, match="probe inside the file does not come out: off by"):
        verify_probe(wrong)


# --- orders ------------------------------------------------------------------------------------


def test_an_order_is_answered_with_a_rig_that_plays(
    saved: Session, guitar: NDArray[np.float32]
) -> None:
    """Everything that the audio plane and the control plane need is in it."""
    model = replace(
        probed(tiny("GRU", 2), guitar[:300], 0.5, 0.5),
        info=ModelInfo(author="A", esr=0.01, other={"secret": 1}),
    )
    built = answer(order(saved(model), gain=0.9, mute=1.0))
    assert isinstance(built, BuildResult)
    assert (built.request_id, built.model_rate_hz, built.latency_frames) == (9, RATE_HZ, 0)
    assert [knob.name for knob in built.knobs] == ["gain", "tone"]
    rig: CompiledRig = pickle.loads(built.rig)
    controls = dict(zip(built.layout, rig.controls.tolist(), strict=True))
    assert controls["knob/1"] == pytest.approx(0.9)
    assert controls["mute"] == 1.0
    program = load_program(rig.executable, len(rig.weights), len(rig.state), BLOCK)
    block = np.full(BLOCK, 0.5, np.float32)
    _, sound = program.call(rig.weights, rig.controls, rig.state, block)
    heard = np.asarray(sound)
    assert heard.shape == (BLOCK + 3,)
    assert not heard[:BLOCK].any()  # muted
    assert heard[-3:-1].tolist() == [0.5, 0.0]
    assert built.info["architecture"] == "GRU 4, dense 1, skip"
    assert built.info["knobs"] == ["gain", "tone"]
    assert (built.info["author"], built.info["esr"]) == ("A", 0.01)
    assert "secret" not in built.info
    assert built.info["probe_error"] < 1e-6
    assert json.loads(json.dumps(built.info)) == built.info


def test_the_clean_rig_changes_nothing() -> None:
    """An order without a file: with all knobs at their defaults the block comes out as it was.

    But for the DC blocker, whose corner is below 10 Hz.
    """
    built = answer(replace(order(Path("none")), path=""))
    assert isinstance(built, BuildResult)
    rig = pickle.loads(built.rig)
    assert (built.knobs, built.rate_policy) == ((), "exact")
    program = load_program(rig.executable, len(rig.weights), len(rig.state), BLOCK)
    block = 0.1 * np.sin(2 * np.pi * 1000.0 * np.arange(BLOCK) / RATE_HZ).astype(np.float32)
    _, sound = program.call(rig.weights, rig.controls, [leaf.copy() for leaf in rig.state], block)
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
def test_a_file_that_is_no_model_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """It begins with the file's name."""
    path = tmp_path / "amp.json"
    if content is not None:
        path.write_bytes(content)
    refused = answer(order(path))
    assert isinstance(refused, BuildFailure)
    assert refused.request_id == 9
    assert refused.reason.startswith(f"{path}: ")
    assert reason in refused.reason


def test_an_unforeseen_error_is_a_refusal_too(
    saved: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The foundry lives on."""

    def fails(*_: object, **__: object) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr(build_module, "build", fails)
    path = saved(tiny())
    expected = BuildFailure(request_id=9, reason=f"{path}: MemoryError: out of memory")
    assert answer(order(path)) == expected


def test_the_foundry_serves_orders_until_the_other_end_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One answer for each, in order, and then an end without an error."""
    monkeypatch.setattr("setproctitle.setproctitle", lambda title: None)
    ours, theirs = socket.socketpair()
    ended: list[int] = []
    server = threading.Thread(
        target=lambda: ended.append(build_module.main(["builder", str(theirs.detach())]))
    )
    server.start()
    with ours:
        ours.settimeout(20.0)
        for number in (4, 5):
            send_frame(ours, replace(order(tmp_path / "none.json"), request_id=number))
        assert [receive_frame(ours).request_id for _ in range(2)] == [4, 5]
    server.join(20.0)
    assert ended == [0]
