"""Capture sessions: remaining settings, their order, and continuing after an interruption."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod.engine.devices.duplex import DuplexRecording
from trainer.capture.measure import TakeCheck
from trainer.capture.session import CapturePlan, CaptureSession
from trainer.capture.signal import assemble, recorded
from trainer.data.folder import FolderError

RATE = 8_000


@pytest.fixture
def plan(tmp_path: Path) -> CapturePlan:
    """Return a plan with three positions of a volume, the first of which is silent."""
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
    """The latency of a silent take cannot be measured."""
    assert [setting["volume"] for setting in CaptureSession(plan).left] == [0.5, 1.0, 0.0]


def test_a_continued_session_has_the_latency_of_its_last_take(plan: CapturePlan) -> None:
    """Takes with another device do not count."""
    session = CaptureSession(plan)
    assert CaptureSession(plan).latency is None
    take = DuplexRecording(
        recorded=plan.signal.played,
        rate_hz=RATE,
        block_frames=64,
        driver_latency_s=None,
        xruns=0,
    )
    session.keep(session.left[0], take, TakeCheck(37, peak_dbfs=-6.0, noise_dbfs=-90.0))
    assert session.latency == 37
    assert CaptureSession(plan).latency == 37
    assert CaptureSession(replace(plan, device="another")).latency is None


def kept(plan: CapturePlan) -> None:
    """Write the first take of a session with a wire as the device."""
    session = CaptureSession(plan)
    take = DuplexRecording(
        recorded=plan.signal.played,
        rate_hz=RATE,
        block_frames=64,
        driver_latency_s=None,
        xruns=0,
    )
    session.keep(session.left[0], take, TakeCheck(0, peak_dbfs=-6.0, noise_dbfs=-90.0))


@pytest.mark.parametrize("name", ["train-input.wav", "000_train_volume0.5-target.wav", "di.wav"])
def test_other_recordings_in_the_folder_are_not_overwritten(plan: CapturePlan, name: str) -> None:
    """Not even recordings whose names follow the naming of captures."""
    plan.folder.mkdir()
    soundfile.write(plan.folder / name, np.full(RATE, 0.25), RATE)
    before = (plan.folder / name).read_bytes()
    with pytest.raises(FolderError, match=name):
        CaptureSession(plan)
    assert [file.name for file in plan.folder.iterdir()] == [name]
    assert (plan.folder / name).read_bytes() == before


def test_a_first_take_without_a_manifest_is_repeated(plan: CapturePlan) -> None:
    """Its files are identified by the dry recording, which equals the signal."""
    kept(plan)
    (plan.folder / "manifest.json").unlink()
    kept(plan)
    assert CaptureSession(plan).done == [{"volume": 0.5}]


def test_a_dry_file_with_another_signal_is_replaced(plan: CapturePlan) -> None:
    """Otherwise the next take would be paired with it."""
    kept(plan)
    dry = plan.folder / "test-input.wav"
    soundfile.write(dry, np.zeros(10), RATE)
    kept(plan)
    expected = plan.signal.played[plan.signal.parts["test"]]
    assert np.array_equal(expected, soundfile.read(dry, dtype="float32")[0])
