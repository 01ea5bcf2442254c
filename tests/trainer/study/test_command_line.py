"""`nemod-train sweep` and `report`: what is asked for, and what cannot be."""

from pathlib import Path

import pytest

from tests.trainer.study.conftest import MakeRun
from trainer.cli import main


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
    ],
)
def test_options_that_cannot_be_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    """With status 2, before the data are read."""
    assert main(["sweep", str(tmp_path / "nowhere"), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_report_is_written_into_the_first_run(
    capsys: pytest.CaptureFixture[str], make_run: MakeRun
) -> None:
    """Unless another folder is named; Table 1 stands on the terminal too."""
    folder = make_run("a", [0.5, 0.2])
    assert main(["report", str(folder)]) == 0
    assert (folder / "report" / "index.html").is_file()
    assert "0.2" in capsys.readouterr().out


def test_a_report_on_nothing_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It says what was looked for."""
    assert main(["report", str(tmp_path)]) == 2
    assert "sweep.json" in capsys.readouterr().err
