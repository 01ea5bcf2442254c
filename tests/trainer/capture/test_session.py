"""What is left of a session, in which order, and what is known when it goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nemod.engine.duplex import Take
from trainer.capture.measure import Measured
from trainer.capture.session import Plan, Session
from trainer.capture.signal import assemble, recorded

RATE = 8_000


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Three settings of a volume; the first one is silence."""
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, RATE).astype(np.float32)
    return Plan(
        folder=tmp_path / "set",
        settings=[{"volume": 0.0}, {"volume": 0.5}, {"volume": 1.0}],
        signal=assemble(recorded(sound), RATE, 0.5),
        source="noise",
        device="one",
        command="capture",
    )


def test_settings_that_may_be_silent_come_last(plan: Plan) -> None:
    """Silence has no clicks to tell the latency by."""
    assert [setting["volume"] for setting in Session(plan).left] == [0.5, 1.0, 0.0]


def test_a_session_that_goes_on_knows_its_latency(plan: Plan) -> None:
    """Of the takes in the folder, as long as the device is the same one."""
    session = Session(plan)
    assert Session(plan).latency is None
    take = Take(
        recorded=plan.signal.played,
        rate_hz=RATE,
        block_frames=64,
        driver_latency_s=None,
        xruns=0,
    )
    session.keep(session.left[0], take, Measured(37, peak_dbfs=-6.0, noise_dbfs=-90.0))
    assert session.latency == 37
    assert Session(plan).latency == 37
    assert Session(replace(plan, device="another")).latency is None
