"""The line that the terminal shows while the daemon plays."""

from dataclasses import dataclass
from typing import Any

import pytest

from nemod.cli.meters import line, panel
from nemod.engine.ipc import DeviceOpened


@dataclass
class Daemon:
    """What is shown of a daemon."""

    device: DeviceOpened | None
    model_name: str = "amp"
    osc_port: int = 9000

    def status(self) -> dict[str, Any]:
        return {"state": "running", "load": 0.1, "load_peak": 0.2, "xruns": 3, "late": 5}

    def meters(self) -> dict[str, float]:
        return {"in": -20.0, "out": -10.0, "clip": 0}


@pytest.mark.parametrize(
    ("counts_xruns", "shown", "hidden"),
    [(True, "xruns 3", "late wake-ups"), (False, "late wake-ups 5", "xruns")],
)
def test_a_clock_shows_late_wake_ups_instead_of_xruns(
    counts_xruns: bool, shown: str, hidden: str
) -> None:
    """It cannot lose samples; that the machine woke it up late is no fault of the rig."""
    daemon: Any = Daemon(
        DeviceOpened(
            device="demo",
            rate_hz=48_000,
            block_frames=64,
            latency_s=0.001,
            counts_xruns=counts_xruns,
            notices=(),
        )
    )
    for text in (line(daemon), panel(daemon, "host").plain):
        assert shown in text
        assert hidden not in text
