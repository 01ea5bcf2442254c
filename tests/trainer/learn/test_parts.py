"""Recipes, segments and the learning rate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nemod.common.errors import ConfigError
from tests.trainer.learn.conftest import dataset
from trainer.learn.batch import arrange
from trainer.learn.recipe import Recipe, from_json, read_recipe, to_json
from trainer.learn.schedule import done, learning_rate
from trainer.learn.segments import Segments


def test_a_recipe_survives_json() -> None:
    """Numbers may also be text, as on the command line."""
    recipe = Recipe(arch="cnn", dilations=(1, 3), learning_rate=1e-3, skip=False)
    assert from_json(to_json(recipe)) == recipe
    given = {"dilations": "1,3", "skip": "no", "arch": "cnn", "learning_rate": "1e-3"}
    assert from_json(given) == recipe


def test_a_recipe_is_read_from_a_file_or_a_run(tmp_path: Path) -> None:
    """A run's config.json contains the recipe."""
    bare, config = tmp_path / "bare.json", tmp_path / "config.json"
    bare.write_text('{"hidden": 12}')
    config.write_text('{"recipe": {"hidden": 12}, "parameters": 7}')
    assert read_recipe(bare) == read_recipe(config) == Recipe(hidden=12)
    bare.write_text(bare.read_text(), encoding="utf-8-sig")  # as written by Windows editors
    assert read_recipe(bare) == Recipe(hidden=12)
    bare.write_text("[]")
    with pytest.raises(ConfigError, match=r"bare\.json: is not a JSON object"):
        read_recipe(bare)
    bare.write_text('{"recipe": 3}')
    with pytest.raises(ConfigError, match=r"bare\.json: recipe 3, expected an object"):
        read_recipe(bare)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"hiden": 4}, "did you mean 'hidden'"),
        ({"arch": "gru2"}, "expected gru, lstm, cnn, did you mean 'gru'"),
        ({"hidden": "many"}, "hidden 'many', expected a whole number"),
        ({"batch": 0}, "batch 0, expected 1 to 65536"),
        ({"segment_frames": 100}, "segment_frames 100, expected at least"),
        ({"stft_weight": 1.0, "chunk_frames": 1199}, "chunk_frames 1199, expected at least 1200"),
        ({"skip": "perhaps"}, "skip 'perhaps', expected true or false"),
    ],
)
def test_an_invalid_recipe_is_reported(given: dict[str, object], sentence: str) -> None:
    """The message has the field, the given value and the allowed values."""
    with pytest.raises(ConfigError, match=sentence):
        from_json(given)


def test_an_epoch_uses_each_segment_once(quick: Recipe) -> None:
    """Segments do not overlap, and have the wet signal and the knobs of their recording."""
    segments = Segments(dataset(knobs=True).train, replace(quick, batch=13))
    (batch, *_) = list(segments.epoch(0))
    dry = batch.inputs[:, :, 0].transpose(1, 2, 0).reshape(13, segments.frames)
    starts = {
        (pair.name, int(np.flatnonzero(np.isin(pair.dry, one[0]))[0]))
        for one in dry
        for pair in dataset(knobs=True).train
        if np.isin(one[0], pair.dry)
    }
    assert len(starts) == 13
    for name in {name for name, _ in starts}:
        places = sorted(at for other, at in starts if other == name)
        assert all(np.diff(places) >= segments.frames)


def test_epochs_differ_and_repeat(quick: Recipe) -> None:
    """They depend on the seed and the number."""
    first, second, again = (
        next(Segments(dataset().train, quick).epoch(number)).inputs for number in (0, 1, 0)
    )
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)


def test_recordings_shorter_than_a_segment_are_reported(quick: Recipe) -> None:
    """The message states the remedy."""
    with pytest.raises(ConfigError, match="longest of the training recordings has 500"):
        Segments(dataset(frames=500).train, quick)


def test_a_level_knob_is_random_and_scales_wet(quick: Recipe) -> None:
    """Wet over position is as recorded; recordings at position 0 are omitted."""
    recipe = replace(quick, level_knob="drive")
    data = dataset(knobs=True)
    batches = list(Segments(data.train, recipe, data.knobs).epoch(0))
    positions = []
    for batch in batches:
        dry, knob = (batch.inputs[:, :, n].transpose(1, 2, 0).reshape(4, -1) for n in (0, 1))
        wet = batch.target[:, :, 0].transpose(1, 2, 0).reshape(4, -1)
        for one, at, output in zip(dry, knob[:, 0], wet, strict=True):
            (pair,) = [pair for pair in data.train if np.isin(one, pair.dry).all()]
            start = int(np.flatnonzero(pair.dry == one[0])[0])
            recorded = pair.wet[start : start + one.size].astype(np.float64) / pair.knobs[0]
            np.testing.assert_allclose(output, at * recorded, rtol=1e-5, atol=1e-7)
            positions.append(float(at))
    assert len(set(positions)) == len(positions)
    assert min(positions) < 0.2 < 0.8 < max(positions) <= 1.0


def test_an_unknown_level_knob_is_reported(quick: Recipe) -> None:
    """The message lists the knobs."""
    data = dataset(knobs=True)
    with pytest.raises(
        ConfigError, match="level_knob 'driv' is not a knob of the data, did you mean"
    ):
        Segments(data.train, replace(quick, level_knob="driv"), data.knobs)


def test_a_batch_is_laid_out_in_groups_of_lanes() -> None:
    """Signal b, frame t, channel c is at [t, b // 16, c, b % 16]."""
    signals = np.arange(32 * 3 * 2, dtype=np.float32).reshape(32, 3, 2)
    assert arrange(signals)[2, 1, 0, 5] == signals[21, 2, 0]


def test_the_rate_falls_along_a_cosine() -> None:
    """From the full to the lowest rate, with their mean in the middle."""
    recipe = Recipe(learning_rate=0.01, final_rate=0.0, ramp=0.0)
    rates = [learning_rate(recipe, share, 0) for share in (0.0, 0.5, 1.0)]
    assert rates == pytest.approx([0.01, 0.005, 0.0])


def test_the_rate_is_halved_on_plateaus() -> None:
    """It does not fall below the lowest rate."""
    recipe = Recipe(schedule="plateau", learning_rate=0.01, final_rate=0.2, ramp=0.0)
    rates = [learning_rate(recipe, 0.5, halvings) for halvings in (0, 1, 9)]
    assert rates == pytest.approx([0.01, 0.005, 0.002])


def test_a_time_limit_replaces_the_number_of_epochs() -> None:
    """Short recordings have many epochs in that time."""
    recipe = Recipe(epochs=100, minutes=1.0)
    assert (done(recipe, 200, 15.0), done(recipe, 10, 60.0)) == (0.25, 1.0)
