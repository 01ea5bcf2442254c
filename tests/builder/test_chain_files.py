"""Requests for chains: which files are read, what is known of each, and whose fault an error is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod.builder import chain_files
from nemod.builder.answer import answer
from nemod.builder.chain_files import read_files
from nemod.builder.filled_chain import FilledChain
from nemod.builder.load_chain import chain_of_file, find_files, load_chain
from nemod.builder.messages import BuildFailure, BuildRequest, BuildResult, Level
from nemod.chain import ChainError, read_chain
from nemod.common.errors import ConfigError, ModelError, NotFoundError
from nemod.common.remembered import Remembered
from nemod.formats.model import Model
from nemod.library import Library
from tests.engine.conftest import RATE_HZ, tiny

Saved = Callable[[Model], Path]
CHAIN = read_chain([{"pedal": {"kind": "model"}}, {"model2": {"size": 0.5}}, "model3", "cab"])


@pytest.fixture
def cabinet(tmp_path: Path) -> Path:
    path = tmp_path / "box.wav"
    soundfile.write(path, np.linspace(1.0, 0.0, 400) ** 4, RATE_HZ, subtype="FLOAT")
    return path


def request(**files: Path) -> BuildRequest:
    return BuildRequest(
        request_id=5,
        chain=CHAIN,
        files={slot: str(path) for slot, path in files.items()},
        rate_hz=RATE_HZ,
        block_frames=64,
        positions={"gain": 0.6, "model2/gain": 0.7, "cab/enable": 1.0},
    )


def test_a_chain_is_answered_with_what_each_slot_holds(saved: Saved, cabinet: Path) -> None:
    """Empty slots have no knobs and no info; a model tells how it is played."""
    slow = saved(replace(tiny("GRU", 1), sample_rate=44_100))
    built = answer(request(pedal=saved(tiny()), model2=slow, cab=cabinet))
    assert isinstance(built, BuildResult)
    assert {slot: len(knobs) for slot, knobs in built.knobs.items()} == {"pedal": 0, "model2": 1}
    assert set(built.infos) == {"pedal", "model2", "cab"}
    assert built.infos["pedal"]["rate_policy"] == "exact"
    assert built.infos["model2"]["rate_policy"] == "delay"
    assert (built.infos["model2"]["model_rate_hz"], built.infos["cab"]["name"]) == (44_100, "box")
    assert {"gain", "model2/knob/1", "model3/gain", "cab/enable", "level"} <= set(built.layout)


def test_the_slot_at_fault_is_named(saved: Saved, cabinet: Path, tmp_path: Path) -> None:
    """Of a model and of a cabinet; the reason names the file."""
    good, bad = saved(tiny()), tmp_path / "bad.json"
    bad.write_text("{}")
    for files, slot in (
        ({"pedal": good, "model2": bad}, "model2"),
        ({"pedal": good, "cab": bad}, "cab"),
        ({"pedal": tmp_path / "none.json", "cab": cabinet}, "pedal"),
    ):
        failure = answer(request(**files))
        assert isinstance(failure, BuildFailure)
        assert (failure.request_id, failure.slot) == (5, slot)
        assert failure.reason.startswith(str(files[slot]))


def test_the_slot_that_cannot_be_levelled_is_named(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the first of the chain, nor none."""

    def silent(model: Model, *_: float) -> float:
        if model.name.startswith("tiny-gru"):
            raise ModelError(model.name, "is silent")
        return -20.0

    monkeypatch.setattr("nemod.builder.level.measured_loudness_db", silent)
    files = {"pedal": saved(tiny()), "model2": saved(tiny("GRU"))}
    failure = answer(replace(request(**files), level=Level(normalize=True)))
    assert isinstance(failure, BuildFailure)
    assert (failure.slot, "is silent" in failure.reason) == ("model2", True)


def test_a_file_is_read_again_only_when_it_has_changed(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So another model beside it does not repeat its probe."""
    monkeypatch.setattr(chain_files, "_MODELS", Remembered(chain_files.KEPT_FILES))
    read: list[Path] = []
    load = chain_files.load_model

    def counting(path: Path, size: float | None = None) -> Model:
        read.append(path)
        return load(path, size=size)

    monkeypatch.setattr(chain_files, "load_model", counting)
    first, second = saved(tiny()), saved(tiny("GRU"))
    read_files(CHAIN, {"pedal": str(first)})
    read_files(CHAIN, {"pedal": str(first), "model2": str(second)})
    assert read == [first, second]
    first.write_text("{}")
    with pytest.raises(ModelError, match="no known kind of model"):
        read_files(CHAIN, {"pedal": str(first)})


# --- files of chains ---------------------------------------------------------------------------


def test_a_chain_is_read_with_the_files_beside_it(saved: Saved, cabinet: Path) -> None:
    """And with those of the library, by their names."""
    path = saved(tiny()).with_name("chain.yaml")
    path.write_text(
        f"- pedal: {{kind: model, file: {saved(tiny()).name}}}\n"
        "- model2: {file: clipper-lstm16}\n"
        "- cab: {file: box.wav}\n- delay\n"
    )
    filled = load_chain(path)
    assert isinstance(filled, FilledChain)
    assert [model.name for model in filled.models.values()] == ["tiny-lstm-0", "clipper-lstm16"]
    assert filled.responses["cab"].name == "box"
    assert (filled.positions, filled.first_positions) == (None, {"cab/enable": 1.0})


def test_a_preset_brings_its_positions(tmp_path: Path) -> None:
    """By canonical path, for every slot; its cabinet is on only if they say so."""
    path = tmp_path / "lead.yaml"
    path.write_text(
        "version: 2\nname: Lead\nchain: [{model: {file: clipper-lstm16}}, delay, delay2]\n"
        "positions: {delay2/mix: 0.3, gain: 0.7}\n"
    )
    assert load_chain(path).first_positions == {"delay2/mix": 0.3, "gain": 0.7}


class Renamed(Library):
    """A library whose index knows one file by its hash."""

    def find_by_hash(self, sha256: str) -> str:
        return "clipper-lstm16" if sha256 == "7" * 64 else ""


def test_a_renamed_model_is_found_by_its_hash(tmp_path: Path) -> None:
    """As by the daemon, which writes hashes into presets."""
    path = tmp_path / "lead.yaml"
    known, unknown = (
        read_chain([{"model": {"file": "old", "sha256": digit * 64}}]) for digit in "78"
    )
    found = find_files(known, path, Renamed(), Renamed())
    assert found["model"].stem == "clipper-lstm16"
    with pytest.raises(NotFoundError, match="slot 'model': no model is named 'old'"):
        find_files(unknown, path, Renamed(), Renamed())


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("- modle", ChainError, "slot 'modle': its kind is missing"),
        ("- model: {file: no-such-amp}", NotFoundError, "slot 'model': no model is named"),
        ("- cab: {file: ../etc/x}", NotFoundError, "slot 'cab': no cabinet is named"),
        (f"- cab: {{file: {'x' * 256}}}", NotFoundError, "slot 'cab': "),
        ("chain: [eq, eq]", ChainError, "chain: slot 'eq' occurs twice"),
        ("audio: {block: 64}", ConfigError, "a list of slots is expected, or a preset with chain"),
        ("- [", ConfigError, "not YAML"),
        ("", ChainError, "a list of slots is expected"),
    ],
)
def test_what_is_no_chain_is_refused(
    tmp_path: Path, text: str, error: type[Exception], reason: str
) -> None:
    """With the file, and the slot where there is one."""
    path = tmp_path / "chain.yaml"
    path.write_text(text)
    with pytest.raises(error) as caught:
        load_chain(path)
    assert str(caught.value).startswith(str(path))
    assert reason in str(caught.value)


def test_a_chain_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Names itself."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match=str(path)):
            chain_of_file(path)
