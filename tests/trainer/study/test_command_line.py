"""`nemod-train sweep` and `report`: options and errors."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.trainer.study.conftest import MakeRun
from trainer.cli import main
from trainer.data.dataset import Dataset
from trainer.data.faults import DataError, find


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--arch", "gru,lsmt"), "lstm"),
        (("--hidden", "8-64"), "--hidden '8-64'"),
        (("--learning-rate", "0.1:0.01"), "LOW <= HIGH"),
        (("--batch", "16,x"), "--batch '16,x'"),
        (("--set", "segment_frame=3"), "segment_frames"),
        (("--set", "skip"), "NAME=VALUE"),
        (("--minutes", "0"), "--minutes"),
        (("--trials", "none"), "--trials"),
        (("--channel", "0"), "--channel"),
        (("--set", "hidden=8"), "--set hidden: this setting is searched; use --hidden"),
        (("--set", "arch=gru"), "--set arch: this setting is searched; use --arch"),
        (("--set", "dilations=1,2"), "--cnn-layers"),
        (("--epochs", "5", "--minutes-per-trial", "1"), "exclude each other"),
    ],
)
def test_invalid_options_are_reported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    """Exit status 2, before the data are read."""
    assert main(["sweep", str(tmp_path / "nowhere"), *options]) == 2
    assert said in capsys.readouterr().err


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: Dataset) -> list[Any]:
    """Collect the arguments of a sweep (data set, plan, folder) without running it."""
    given: list[Any] = []

    def sweep(*arguments: object) -> NoReturn:
        given.extend(arguments)
        raise KeyboardInterrupt

    named = replace(device, name="../../evil")
    monkeypatch.setattr("trainer.cli.data_options.load_dataset", lambda *_, **__: named)
    monkeypatch.setattr("trainer.study.sweep.Sweep", sweep)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return given


@pytest.mark.parametrize(
    ("options", "epochs", "minutes"),
    [
        ([], 60, 0.0),
        (["--recipe", "some.json"], 60, 0.0),
        (["--recipe", "bound.json"], 7, 2.0),
        (["--recipe", "bound.json", "--epochs", "9"], 9, 0.0),
        (["--recipe", "bound.json", "--set", "epochs=9"], 9, 0.0),
        (["--recipe", "bound.json", "--minutes-per-trial", "3"], 1 << 30, 3.0),
    ],
)
def test_a_recipe_file_limits_the_trials(
    planned: list[Any], options: list[str], epochs: int, minutes: float
) -> None:
    """Unless the command line has a limit."""
    Path("some.json").write_text('{"clip": 0.5}')
    Path("bound.json").write_text('{"epochs": 7, "minutes": 2.0}')
    assert main(["sweep", "data", *options]) == 130
    _, plan, *_ = planned
    assert (epochs, minutes) == (plan.recipe.epochs, plan.recipe.minutes)


def test_the_name_of_the_data_cannot_leave_the_folder_of_sweeps(planned: list[Any]) -> None:
    """A manifest may contain any name."""
    assert main(["sweep", "data"]) == 130
    folder = planned[2]
    assert folder == Path("sweeps") / "-..-evil"


def test_a_sweep_folder_is_checked_before_the_data_are_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The error names the folder, not the missing data."""
    (tmp_path / "file").touch()
    assert main(["sweep", str(tmp_path / "nowhere"), "--out", str(tmp_path / "file")]) == 1
    assert f"{tmp_path / 'file'}: cannot be written (a file is in" in capsys.readouterr().err


def test_a_report_is_written_into_the_first_run(
    capsys: pytest.CaptureFixture[str], make_run: MakeRun
) -> None:
    """Unless another folder is given; Table 1 is also printed."""
    folder = make_run("a", [0.5, 0.2])
    assert main(["report", str(folder)]) == 0
    assert (folder / "report" / "index.html").is_file()
    assert "0.2" in capsys.readouterr().out


def test_a_report_on_nothing_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The message states what is expected."""
    assert main(["report", str(tmp_path)]) == 2
    assert "sweep.json" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_data_options_reach_the_loader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    """`check` and training have the same data options."""
    given: dict[str, object] = {}

    def load(_: Path, **options: object) -> NoReturn:
        given.update(options)
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.cli.data_options.load_dataset", load)
    options = ["--rate", "44100", "--channel", "2", "--invert", "--force"]
    assert main([command, str(tmp_path), *options]) == 130
    expected = {"rate": 44_100, "channel": 2, "invert": True, "force": True}
    assert expected == {name: given[name] for name in expected}


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ([], {"rate": 44_100, "channel": 2, "invert": True, "force": True}),
        (["--rate", "48000"], {"rate": 48_000, "channel": 2, "invert": True, "force": True}),
        (["--data", "elsewhere", "--channel", "1"], {"path": Path("elsewhere"), "channel": 1}),
    ],
)
def test_a_report_reads_the_data_as_the_run_did(
    monkeypatch: pytest.MonkeyPatch, make_run: MakeRun, options: list[str], given: dict[str, object]
) -> None:
    """Unless options are given."""
    folder = make_run("a", [0.5], knobs=("tone",))
    (folder / "a.json").touch()
    config = json.loads((folder / "config.json").read_text())
    read = {"path": "/recordings", "rate": 44_100, "channel": 2, "invert": True, "force": True}
    config["data"]["read"] = read
    (folder / "config.json").write_text(json.dumps(config))
    asked: dict[str, object] = {}

    def load(path: Path, **how: object) -> NoReturn:
        asked.update(how, path=path)
        raise DataError([find("missing-file", file=path)])

    monkeypatch.setattr("trainer.cli.report.load_dataset", load)
    assert main(["report", str(folder), *options]) == 0
    expected = {**read, "path": Path("/recordings"), "knobs": ("tone",), **given}
    assert expected == {name: asked[name] for name in expected}


def test_a_report_that_cannot_be_written_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One sentence and exit status 1, without a traceback."""

    def load(*_: object, **__: object) -> NoReturn:
        raise OSError(28, "No space left on device", "runs/a")

    monkeypatch.setattr("trainer.cli.data_options.load_dataset", load)
    assert main(["train", str(tmp_path)]) == 1
    assert "nemod-train: runs/a: No space left on device" in capsys.readouterr().err
