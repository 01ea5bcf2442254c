"""The command line, called as the console script calls it, and files for it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from nemod.cli import main
from nemod.formats.save import save_model
from tests.engine.conftest import tiny


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


Nemod = Callable[..., Outcome]


@pytest.fixture
def nemod(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Nemod:
    """Return `nemod(*arguments)`: exit status, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse, after --help and --version
            status = int(end.code or 0)
        return Outcome(status, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def amp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's file."""
    path = tmp_path_factory.mktemp("models") / "tiny-amp.json"
    save_model(tiny(), path)
    return path


@pytest.fixture(scope="session")
def two_knobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a model with knobs `gain` and `tone`."""
    path = tmp_path_factory.mktemp("models") / "two-knobs.json"
    save_model(tiny("GRU", 2), path)
    return path


@pytest.fixture(scope="session")
def riff(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording: 1,000 frames of noise within +-0.5, 48 kHz, 32-bit float."""
    path = tmp_path_factory.mktemp("sound") / "riff.wav"
    sound = np.random.default_rng(2).uniform(-0.5, 0.5, 1000).astype(np.float32)
    soundfile.write(path, sound, 48_000, subtype="FLOAT")
    return path
