"""The report: a self-contained page with tables and figures of runs."""

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from nemod.common.errors import ConfigError
from tests.trainer.study.conftest import MakeRun
from trainer.data.dataset import Dataset, Pair, Reading
from trainer.learn.export import as_model, write
from trainer.learn.networks import initial_weights, network_of
from trainer.learn.recipe import Recipe
from trainer.study.pictures import knob_map, loss_curves
from trainer.study.predictions import Prediction, SettingResult, settings, windows
from trainer.study.report import write_report
from trainer.study.runs import find_runs
from trainer.study.tables import all_runs, table_1

PNG = b"\x89PNG\r\n\x1a\n"


class _Page(HTMLParser):
    """Collects image and script sources and table cells of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _no_data(how: Reading, knobs: tuple[str, ...]) -> NoReturn:
    raise AssertionError((how, knobs))


def test_table_1_has_the_best_of_each_architecture(make_run: MakeRun, tmp_path: Path) -> None:
    """With hyperparameters and the paper's loss, in the paper's order."""
    make_run("a", [0.5, 0.2], arch="gru", hidden=16, batch=8, learning_rate=1e-3)
    make_run("b", [0.4, 0.1, 0.3], arch="gru", hidden=24, batch=16, learning_rate=2e-3, layers=2)
    make_run("c", [0.6], arch="cnn", channels=12, dilations=(1, 2, 4))
    rows = table_1(find_runs([tmp_path])).rows
    assert [row[:7] for row in rows] == [
        ("CNN", "0.6", "0.7", "5.00e-03", "32", "12", "3"),
        ("GRU", "0.1", "0.03", "2.00e-03", "16", "24", "2"),
    ]


def test_runs_are_sorted_by_loss(make_run: MakeRun, tmp_path: Path) -> None:
    """Those without a loss are last; one that was stopped early has the reason."""
    make_run("worse", [0.5])
    make_run("pruned", [0.9], state="pruned")
    make_run("new", [])
    make_run("better", [0.1])
    rows = all_runs(find_runs([tmp_path])).rows
    assert [row[0] for row in rows] == ["better", "worse", "pruned", "new"]
    assert rows[2][-1] == "pruned: worse than the median"


def test_a_run_that_was_interrupted_is_unfinished(make_run: MakeRun) -> None:
    """Although its best model so far was evaluated."""
    folder = make_run("a", [0.5])
    result = {"stopped": "interrupted", "test": None, "settings": []}
    (folder / "result.json").write_text(json.dumps(result))
    (run,) = find_runs([folder])
    assert (run.state, run.reason) == ("unfinished", "interrupted")


def test_an_incomplete_last_line_is_ignored(make_run: MakeRun) -> None:
    """A killed run can leave one."""
    folder = make_run("a", [0.5, 0.2])
    with (folder / "history.jsonl").open("a") as file:
        file.write('{"epoch": 3, "train_l')
    (run,) = find_runs([folder])
    assert (len(run.history), run.loss) == (2, 0.2)


def test_paths_without_runs_are_reported(tmp_path: Path) -> None:
    """All of them at once."""
    with pytest.raises(ConfigError) as caught:
        find_runs([tmp_path, tmp_path / "nowhere"])
    assert len(caught.value.problems) == 2


def test_the_page_is_self_contained(make_run: MakeRun, tmp_path: Path) -> None:
    """The three figures of a sweep are embedded, and equal the PNG files."""
    for number, arch in enumerate(("gru", "lstm", "cnn", "gru", "gru")):
        make_run(f"{arch}-{number}", [0.5, 0.1 * (number + 1)], arch=arch, base=tmp_path / "runs")
    report = write_report(find_runs([tmp_path / "runs"]), tmp_path / "out", _no_data)
    page = _Page(report.page.read_text(encoding="utf-8"))
    head = "data:image/png;base64,"
    assert all(source.startswith(head) for source in page.sources)
    inside = [base64.b64decode(source.removeprefix(head)) for source in page.sources]
    assert inside == [path.read_bytes() for path in report.pictures]
    assert [path.name for path in report.pictures] == ["loss.png", "figure-4.png", "figure-5.png"]
    assert all(picture.startswith(PNG) for picture in inside)
    assert not page.tags & {"script", "link", "iframe"}


def test_names_are_escaped(make_run: MakeRun, tmp_path: Path) -> None:
    """A folder may have any name."""
    folder = make_run("a<script>b", [0.5])
    report = write_report(find_runs([folder]), tmp_path / "out", _no_data)
    page = _Page(report.page.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert "a<script>b" in page.text


def test_runs_with_equal_names_are_distinguished(make_run: MakeRun, tmp_path: Path) -> None:
    """With as many parent folders as necessary."""
    for base in ("a/x", "b/x", "c"):
        make_run("gru-000", [0.5], base=tmp_path / base)
    make_run("gru-001", [0.5], base=tmp_path / "c")
    folders = [tmp_path / "a/x", tmp_path / "b/x", tmp_path / "c"]
    names = ["a/x/gru-000", "b/x/gru-000", "c/gru-000", "gru-001"]
    assert names == [run.name for run in find_runs(folders)]


def test_the_weights_of_a_loss_are_stated(make_run: MakeRun, tmp_path: Path) -> None:
    """If the weights of runs differ, a note states that their losses cannot be compared."""
    bent = find_runs([make_run("a", [0.5], esr_weight=1.0, dc_weight=0.5)])
    report = write_report(bent, tmp_path / "one", _no_data)
    text = " ".join(_Page(report.page.read_text(encoding="utf-8")).text)
    assert "Loss is 1 ESR + 0.5 DC on the validation set" in text
    assert not any("cannot be compared" in note for note in report.notes)
    label = "validation loss, 1 ESR + 0.5 DC"
    assert label == loss_curves(bent).axes[0].get_ylabel()
    both = [*bent, *find_runs([make_run("b", [0.4])])]
    note = write_report(both, tmp_path / "two", _no_data).notes[0]
    assert note.startswith("The losses have different weights")
    assert "1 ESR + 0.5 DC: a; 0.75 ESR + 0.25 DC: b" in note
    assert loss_curves(both).axes[0].get_ylabel() == "validation loss, with the weights of each run"


def test_a_silent_test_set_is_labelled(make_run: MakeRun) -> None:
    """A missing test set is a dash."""
    folder = make_run("a", [0.5])
    for esr, shown in (({"esr": None}, "silent"), (None, "-")):
        (folder / "result.json").write_text(json.dumps({"stopped": "epochs", "test": esr}))
        runs = find_runs([folder])
        assert [table_1(runs).rows[0][8], all_runs(runs).rows[0][8]] == [shown] * 2


@pytest.fixture
def knobbed(make_run: MakeRun) -> tuple[Path, Dataset]:
    """Return a run with a model, and data with two knobs and a silent setting."""
    places = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
    rng = np.random.default_rng(1)

    def pair(knobs: tuple[float, ...]) -> Pair:
        dry = rng.uniform(-0.5, 0.5, 6000).astype(np.float32)
        return Pair(f"at {knobs}", dry, (knobs[0] * dry).astype(np.float32), knobs)

    train, test = tuple(pair(at) for at in places), (pair((0.5, 0.5)),)
    data = Dataset("bend", 8_000, ("level", "tone"), train, (), test, "d" * 64)
    recipe = Recipe(arch="gru", hidden=2)
    folder = make_run("knobbed", [0.5], arch="gru", hidden=2, knobs=data.knobs)
    network = network_of(recipe, 2)
    model = as_model("knobbed", network, initial_weights(network, 1), data, {})
    write(model, folder / "knobbed.json")
    return folder, data


def test_predictions_are_drawn_with_their_targets(
    knobbed: tuple[Path, Dataset], tmp_path: Path
) -> None:
    """Waveform, spectrogram, transfer curve and knob map."""
    folder, data = knobbed
    runs = find_runs([folder])
    report = write_report(runs, tmp_path / "out", lambda *_: data, data=tmp_path)
    names = ["waveform", "spectrogram", "transfer", "knobs"]
    drawn = ["loss.png", *(f"knobbed-{name}.png" for name in names)]
    assert [path.name for path in report.pictures] == drawn
    assert report.notes == ()


def test_the_model_of_a_killed_run_is_found_by_its_name(
    knobbed: tuple[Path, Dataset], tmp_path: Path
) -> None:
    """config.json states the name; without the file, a note is added."""
    folder, data = knobbed
    (folder / "knobbed.json").rename(folder / "fuzz.json")
    (folder / "result.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "name": "fuzz"}))
    (run,) = find_runs([folder])
    assert run.model_path == folder / "fuzz.json"
    (folder / "fuzz.json").unlink()
    report = write_report([run], tmp_path / "out", lambda *_: data, data=tmp_path)
    assert report.notes == (
        "The model file of knobbed was not found, so its predictions are not drawn.",
    )


def test_runs_with_equal_names_have_separate_figures(
    knobbed: tuple[Path, Dataset], tmp_path: Path
) -> None:
    """Even if their names become equal as file names."""
    folder, data = knobbed
    (run,) = find_runs([folder])
    runs = [replace(run, label="a/x"), replace(run, label="a-x")]
    report = write_report(runs, tmp_path / "out", lambda *_: data, data=tmp_path)
    names = [path.name for path in report.pictures]
    assert {"a-x-waveform.png", "a-x-waveform-2.png"} <= set(names)
    assert len(set(names)) == len(names)


def test_without_the_data_a_note_says_what_is_missing(
    knobbed: tuple[Path, Dataset], tmp_path: Path
) -> None:
    """The other figures are drawn."""
    report = write_report(find_runs([knobbed[0]]), tmp_path / "out", _no_data)
    assert "--data" in report.notes[0]
    assert [path.name for path in report.pictures] == ["loss.png"]


def test_data_with_other_knobs_are_not_used(knobbed: tuple[Path, Dataset], tmp_path: Path) -> None:
    """A note names both, and the model is not run with other inputs."""
    folder, data = knobbed
    bare = tuple(replace(pair, knobs=()) for pair in data.test)
    other = replace(data, knobs=(), train=bare, test=bare)
    report = write_report(find_runs([folder]), tmp_path / "out", lambda *_: other, data=tmp_path)
    assert "has the knobs none, but knobbed has level, tone" in report.notes[0]
    assert [path.name for path in report.pictures] == ["loss.png"]


def test_the_error_at_a_setting_is_that_of_its_recording(knobbed: tuple[Path, Dataset]) -> None:
    """Compared with a GRU of two units in float64; a silent target has no ESR."""
    folder, data = knobbed
    (run,) = find_runs([folder])
    found = {one.knobs: one for one in settings(run, data)}
    assert np.isnan(found[0.0, 1.0].esr)
    pair, weights = data.test[0], initial_weights(network_of(run.recipe, 2), 1)
    gru, dense = ([np.asarray(x, np.float64) for x in part] for part in weights)
    w_x, w_h, bias, bias_n, h = gru
    error = 0.0
    for x, wet in zip(pair.dry.astype(np.float64), pair.wet.astype(np.float64), strict=True):
        outer, inner = w_x @ [x, *pair.knobs] + bias, w_h @ h
        r, z = 1.0 / (1.0 + np.exp(-(outer[:4] + inner[:4]).reshape(2, 2)))
        h = z * h + (1.0 - z) * np.tanh(outer[4:] + r * (inner[4:] + bias_n))
        error += float(dense[0][0] @ h + dense[1][0] + x - wet) ** 2
    expected = error / float(np.sum(pair.wet.astype(np.float64) ** 2))
    assert (found[0.5, 0.5].split, found[0.5, 0.5].esr) == (
        "test",
        pytest.approx(expected, rel=1e-4),
    )


def test_the_windows_are_the_loudest_and_the_worst() -> None:
    """The target has a burst, and the error is elsewhere."""
    wet, output = np.zeros(1000, np.float32), np.zeros(1000, np.float32)
    wet[200:220] = output[200:220] = 1.0
    output[700:720] = 0.5
    recorded = Prediction(Pair("x", wet, wet), output, 1000, held_out=True)
    loudest, worst = windows(recorded, 0.02)
    assert (loudest, worst) == (slice(200, 220), slice(700, 720))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_map_has_a_panel_for_each_setting_of_the_knobs_before_the_last_two(count: int) -> None:
    """One panel for one or two knobs; with three, one per position of the first."""
    places = [tuple(at) for at in np.ndindex(*[2] * count)]
    found = [SettingResult(tuple(map(float, at)), 0.1 + sum(at), "train") for at in places]
    figure = knob_map(["a", "b", "c"][:count], found)
    titled = [axes for axes in figure.axes if axes.get_xlabel()]
    assert len(titled) == (2 if count == 3 else 1)
