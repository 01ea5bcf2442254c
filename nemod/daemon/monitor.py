"""The state of the rig in numbers, for the control core. Thread: control."""

import time
from collections.abc import Mapping
from typing import Any

from nemod.control.backends import Status
from nemod.control.events import Meters, TunerReading
from nemod.daemon.load_guard import LoadGuard
from nemod.daemon.model_switcher import ModelSwitcher
from nemod.daemon.supervisor import Supervisor
from nemod.daemon.telemetry import Telemetry
from nemod.daemon.tuner_thread import TunerThread


class RigMonitor:
    """Implements `nemod.control.backends.Monitor` from what the parts of the daemon know."""

    def __init__(
        self,
        supervisor: Supervisor,
        switcher: ModelSwitcher,
        telemetry: Telemetry,
        tuner: TunerThread,
        load_guard: LoadGuard,
    ) -> None:
        """The uptime counts from now on."""
        self._supervisor = supervisor
        self._switcher = switcher
        self._telemetry = telemetry
        self._tuner = tuner
        self._load_guard = load_guard
        self._started_at = time.monotonic()

    def status(self) -> Status:
        """Return the state of the rig."""
        device, current = self._supervisor.device, self._switcher.current
        latency_s = device.latency_s if device else 0.0
        if current is not None and device is not None:
            latency_s += current.result.latency_frames / device.rate_hz
        model: Mapping[str, Any] = self._switcher.first_model_info()
        rate = device.rate_hz if device else 0
        return Status(
            state=self._supervisor.state,
            load=self._telemetry.load,
            load_peak=self._telemetry.load_peak,
            xruns=self._telemetry.total("xruns"),
            late=self._telemetry.total("late"),
            latency_ms=1000.0 * latency_s,
            rate=rate,
            block=device.block_frames if device else 0,
            model_rate=model.get("model_rate_hz", rate),
            rate_policy=model.get("rate_policy", "exact"),
            reduced=self._load_guard.reduced,
            uptime=int(time.monotonic() - self._started_at),
        )

    def meters(self) -> Meters:
        """Return the levels of the last moment."""
        return self._telemetry.meters()

    def tuner(self) -> TunerReading:
        """Return the last reading of the tuner."""
        return self._tuner.reading

    def reset_meters(self) -> None:
        """Set the count of clipped blocks and the peak load to zero."""
        self._telemetry.reset()
