"""What is left of a session, in which order, and what is known when it goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod.engine.devices.duplex import DuplexRecording
from trainer.capture.measure import TakeCheck
from trainer.capture.session import CapturePlan, Session
from trainer.capture.signal import assemble, recorded
from trainer.data.folder import FolderError

RATE = 8_000


@pytest.fixture
def plan(tmp_path: Path) -> CapturePlan:
    """Three settings of a volume; the first one is silence."""
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, RATE).astype(np.float32)
    return CapturePlan(
        folder=tmp_path / "set",
        settings=[{"volume": 0.0}, {"volume": 0.5}, {"volume": 1.0}],
        signal=assemble(recorded(sound), RATE, 0.5),
        source="noise",
        device="one",
        command="capture",
    )


def test_settings_that_may_be_silent_come_last(plan: CapturePlan) -> None:
    """Silence has no clicks to tell the latency by."""
    assert [setting["volume"] for setting in Session(plan).left] == [0.5, 1.0, 0.0]


def test_a_session_that_goes_on_knows_its_latency(plan: CapturePlan) -> None:
    """Of the takes in the folder, as long as the device is the same one."""
    session = Session(plan)
    assert Session(plan).latency is None
    take = DuplexRecording(
        recorded=plan.signal.played,
        rate_hz=RATE,
        block_frames=64,
        driver_latency_s=None,
        xruns=0,
    )
    session.keep(session.left[0], take, TakeCheck(37, peak_dbfs=-6.0, noise_dbfs=-90.0))
    assert session.latency == 37
    assert Session(plan).latency == 37
    assert Session(replace(plan, device="another")).latency is None


def kept(plan: CapturePlan) -> None:
    """Keep the first take of a session, of a wire."""
    session = Session(plan)
    take = DuplexRecording(
        recorded=plan.signal.played,
        rate_hz=RATE,
        block_frames=64,
        driver_latency_s=None,
        xruns=0,
    )
    session.keep(session.left[0], take, TakeCheck(0, peak_dbfs=-6.0, noise_dbfs=-90.0))


@pytest.mark.parametrize("name", ["train-input.wav", "000_train_volume0.5-target.wav", "di.wav"])
def test_somebodys_recordings_are_neither_taken_over_nor_used(plan: CapturePlan, name: str) -> None:
    """Not even those that are named as the program names its own."""
    plan.folder.mkdir()
    soundfile.write(plan.folder / name, np.full(RATE, 0.25), RATE)
    before = (plan.folder / name).read_bytes()
    with pytest.raises(FolderError, match=name):
        Session(plan)
    assert [file.name for file in plan.folder.iterdir()] == [name]
    assert (plan.folder / name).read_bytes() == before


def test_a_first_take_that_was_killed_before_its_manifest_is_repeated(plan: CapturePlan) -> None:
    """Its files are known by the dry recording, which is what is to be played."""
    kept(plan)
    (plan.folder / "manifest.json").unlink()
    kept(plan)
    assert Session(plan).done == [{"volume": 0.5}]


def test_a_dry_file_that_was_not_played_is_written_again(plan: CapturePlan) -> None:
    """Else the next take would be paired with it."""
    kept(plan)
    dry = plan.folder / "test-input.wav"
    soundfile.write(dry, np.zeros(10), RATE)
    kept(plan)
    expected = plan.signal.played[plan.signal.parts["test"]]
    assert np.array_equal(expected, soundfile.read(dry, dtype="float32")[0])
