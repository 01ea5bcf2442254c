"""Training runs: results, files, and resuming."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
import soundfile

from nemod.cli.render import main as render
from nemod.common.errors import ConfigError
from nemod.formats import Knob, load_model
from tests.trainer.learn.conftest import RATE_HZ, dataset
from trainer.data.dataset import Dataset, Pair, Reading
from trainer.learn.evaluate import play
from trainer.learn.fit import Epoch, fit
from trainer.learn.recipe import Recipe
from trainer.study.runs import find_runs


def numbers(folder: Path) -> list[bytes]:
    """Return the weights and the optimiser state of a run's checkpoint."""
    with np.load(folder / "checkpoint.npz") as stored:
        return [stored[name].tobytes() for name in stored.files if name != "state"]


def test_a_run_trains_and_writes_its_results(tmp_path: Path, small: Dataset, quick: Recipe) -> None:
    """The error falls; the folder has config, history, model, result and the reading options."""
    reported: list[Epoch] = []
    read = Reading(path=tmp_path / "recordings", rate=RATE_HZ, invert=True)
    recorded = replace(small, reading=read)
    result = fit(recorded, replace(quick, epochs=12), tmp_path, reported.append, name="clipper")
    first, last = reported[0].validation_esr, reported[-1].best_esr
    assert first is not None
    assert last is not None
    assert last < 0.3 * first
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 13))
    stated = json.loads((tmp_path / "result.json").read_text())
    (output,) = play(result.model.network, result.model.weights, small.test)
    wet = small.test[0].wet.astype(np.float64)
    assert stated["test"]["esr"] == pytest.approx(
        float(np.sum((wet - output) ** 2) / np.sum(wet**2)), rel=1e-4
    )
    assert json.loads((tmp_path / "config.json").read_text())["data"]["digest"] == small.digest
    (run,) = find_runs([tmp_path])
    assert run.reading == read


def test_the_exported_file_plays_as_the_trainer(
    tmp_path: Path, small: Dataset, quick: Recipe
) -> None:
    """`nemod render --model-only` equals the trainer's output on the test set within 1e-5."""
    result = fit(small, quick, tmp_path, name="clipper")
    (expected,) = play(result.model.network, result.model.weights, small.test)
    soundfile.write(tmp_path / "in.wav", small.test[0].dry, RATE_HZ, subtype="FLOAT")
    files = [str(tmp_path / "in.wav"), str(tmp_path / "out.wav")]
    assert render([*files, "--model", str(result.path), "--model-only"]) == 0
    actual, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == RATE_HZ
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    model = load_model(result.path)
    assert model.sample_rate == RATE_HZ
    assert model.probe is not None
    assert model.info.other["data_sha256"] == small.digest


@pytest.mark.parametrize("skip", [True, False])
def test_a_cnn_survives_export_and_import(tmp_path: Path, quick: Recipe, skip: bool) -> None:
    """RTNeural JSON has the same network, weights and knobs with defaults."""
    recipe = replace(quick, arch="cnn", channels=3, kernel=3, dilations=(1, 4), skip=skip, epochs=1)
    result = fit(replace(dataset(knobs=True), defaults={"drive": 0.8}), recipe, tmp_path)
    model = load_model(result.path)
    assert model.network == result.model.network
    assert model.knobs == (Knob("drive", default=0.8),)
    assert "knobs" not in model.info.other
    jax.tree.map(np.testing.assert_array_equal, model.weights, result.model.weights)


def test_a_cnn_with_knobs_has_a_test_vector_with_all_of_them_at_zero(
    tmp_path: Path, quick: Recipe
) -> None:
    """The format cannot state others; the vector matches the loaded model at 0, but not at 1."""
    recipe = replace(quick, arch="cnn", channels=3, kernel=3, dilations=(1, 4), epochs=1)
    path = fit(dataset(knobs=True), recipe, tmp_path).path
    model = load_model(path)
    assert model.probe is not None
    sound = model.probe.inputs[:, 0]
    assert np.abs(sound).max() > 0.1
    at_0, at_1 = play(
        model.network, model.weights, [Pair("probe", sound, sound, (at,)) for at in (0.0, 1.0)]
    )
    np.testing.assert_allclose(at_0, model.probe.output, atol=1e-6)
    assert np.abs(at_1 - model.probe.output).max() > 1e-3


def test_a_cnns_test_vector_is_of_the_whole_model(
    tmp_path: Path, small: Dataset, quick: Recipe
) -> None:
    """It is stored without the skip connection, and read with it."""
    recipe = replace(quick, arch="cnn", channels=2, kernel=2, dilations=(1,), epochs=1)
    result = fit(small, recipe, tmp_path)
    model = load_model(result.path)
    assert model.probe is not None
    assert result.model.probe is not None
    np.testing.assert_allclose(model.probe.output, result.model.probe.output, atol=1e-6)


def test_a_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, small: Dataset, quick: Recipe
) -> None:
    """All arrays are bit-identical, and the history is equal except for times."""
    fit(small, quick, tmp_path / "whole")
    fit(small, quick, tmp_path / "parts", lambda epoch: epoch.epoch == 1)
    fit(small, quick, tmp_path / "parts", resume=True)
    assert numbers(tmp_path / "parts") == numbers(tmp_path / "whole")
    histories = []
    for folder in ("whole", "parts"):
        lines = (tmp_path / folder / "history.jsonl").read_text().splitlines()
        histories.append([json.loads(line) | {"seconds": None} for line in lines])
    assert histories[0] == histories[1]


def test_ctrl_c_leaves_the_best_model(tmp_path: Path, small: Dataset, quick: Recipe) -> None:
    """The run ends cleanly and is evaluated."""

    def interrupt(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    result = fit(small, quick, tmp_path, interrupt)
    assert result.stopped == "interrupted"
    assert load_model(result.path).info.other["epochs"] == 1


def test_an_exception_of_the_callback_is_passed_on(
    tmp_path: Path, small: Dataset, quick: Recipe
) -> None:
    """Sweeps prune runs this way; the checkpoint is already written."""

    def prune(epoch: Epoch) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        fit(small, quick, tmp_path, prune)
    assert (tmp_path / "checkpoint.npz").exists()


def test_a_folder_with_a_run_is_not_overwritten(
    tmp_path: Path, small: Dataset, quick: Recipe
) -> None:
    """Neither by a new run nor by resuming with another recipe."""
    fit(small, replace(quick, epochs=1), tmp_path)
    with pytest.raises(ConfigError, match="contains a run already"):
        fit(small, quick, tmp_path)
    with pytest.raises(ConfigError, match=r"recipe\.learning_rate 0\.02, not 0\.1"):
        fit(small, replace(quick, epochs=1, learning_rate=0.1), tmp_path, resume=True)


def test_a_damaged_checkpoint_is_reported(tmp_path: Path, small: Dataset, quick: Recipe) -> None:
    """The run does not silently start again."""
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ConfigError, match="no checkpoint can be read"):
        fit(small, quick, tmp_path, resume=True)


def test_silent_targets_are_trained_on(tmp_path: Path, quick: Recipe) -> None:
    """A pedal with its volume at 0: all values stay finite, and the model learns silence."""
    loud = dataset(knobs=True)
    quiet = replace(
        loud,
        train=(replace(loud.train[0], wet=np.zeros_like(loud.train[0].wet)), *loud.train[1:]),
        test=(replace(loud.test[0], wet=np.zeros_like(loud.test[0].wet)),),
    )
    result = fit(quiet, replace(quick, epochs=1), tmp_path)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result.model.weights))
    assert result.settings[0]["esr"] is None


def test_a_run_without_a_validation_writes_no_model(
    tmp_path: Path, small: Dataset, quick: Recipe
) -> None:
    """After Ctrl-C before the first validation, the initial weights are not written."""

    def interrupt(_: Epoch) -> None:
        raise KeyboardInterrupt

    result = fit(small, replace(quick, validate_every=3), tmp_path, interrupt)
    assert (result.stopped, result.best_epoch) == ("interrupted", 0)
    assert not result.path.exists()
    assert json.loads((tmp_path / "result.json").read_text())["model"] is None


@pytest.mark.parametrize("name", ["", "a/b", "a\0b"])
def test_an_invalid_model_name_is_reported(
    tmp_path: Path, small: Dataset, quick: Recipe, name: str
) -> None:
    """Before anything is written."""
    with pytest.raises(ConfigError, match=r"the name .* cannot be a file's"):
        fit(small, quick, tmp_path / "run", name=name)
    assert not (tmp_path / "run").exists()


def test_a_model_is_selected_with_an_stft_loss(
    tmp_path: Path, small: Dataset, quick: Recipe
) -> None:
    """The validation loss is then 0.75 ESR + 0.25 DC, and not 0."""
    recipe = replace(quick, segment_frames=1_264, chunk_frames=1_200, epochs=1)
    recipe = replace(recipe, esr_weight=0.0, dc_weight=0.0, stft_weight=1.0)
    score = fit(small, recipe, tmp_path).validation
    assert score.loss == pytest.approx(0.75 * score.esr + 0.25 * score.dc)
    assert score.loss > 0.0
