"""The engine plays a rig: one call per block, on the device's thread.

`Engine.process` is the only code of the project that runs on the audio thread. It takes no lock,
writes no log, parses and compiles nothing and frees nothing large: settings are read from a
non-blocking pipe, a helper thread provides the next rig in `pending_rig` and frees those in
`retired`, and telemetry leaves on a non-blocking pipe.
"""

import os
import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from nemod.engine.active_rig import ActiveRig
from nemod.engine.histogram import BlockTimes
from nemod.engine.ipc import (
    SETTINGS_BYTES,
    TELEMETRY_S,
    TelemetryRecord,
    encode_telemetry,
    newest_settings,
    write_whole,
)
from nemod.fx.ceiling import CEILING

FADE_S = 0.03
"""[s] Crossfade from one rig to the next."""

FULL_SCALE = 1.0
"""A block with a larger peak before the limiter counts as clipped."""

_INFINITE = float("inf")
_PIPE_READ_BYTES = 64 * SETTINGS_BYTES

Block = NDArray[np.float32]


class Engine:
    """Plays one rig, or two during a crossfade. Thread: audio, unless stated."""

    def __init__(
        self,
        rate_hz: int,
        block_frames: int,
        *,
        settings_fd: int = -1,
        telemetry_fd: int = -1,
        recording_fd: int = -1,
        times: BlockTimes | None = None,
    ) -> None:
        """The descriptors are non-blocking pipe ends; -1 omits one. `times` counts block times."""
        self.rate_hz = rate_hz
        self.block_frames = block_frames
        self._settings_fd = settings_fd
        self._telemetry_fd = telemetry_fd
        self._recording_fd = recording_fd
        self._times = times

        self.pending_rig: ActiveRig | None = None
        """Helper thread -> engine: the next rig. The engine takes it between crossfades."""
        self.retired: deque[ActiveRig] = deque()
        """Engine -> helper thread: rigs that no longer sound, to be freed there."""
        self.stopping = False
        """Set from any thread: fade to silence and stay silent."""
        self.frames_played = 0
        """Frames since the first rig started."""

        fade = max(1, round(FADE_S * rate_hz))
        phase = (np.arange(fade + block_frames, dtype=np.float64) + 1.0) / fade
        phase = np.minimum(phase, 1.0) * (np.pi / 2.0)
        # Equal power; the last entries hold the final gain for blocks that reach past the fade.
        self._rise = np.sin(phase).astype(np.float32)
        self._fall = np.cos(phase).astype(np.float32)
        self._fall[fade - 1 :] = 0.0
        self._fade_frames = fade
        self._faded = 0
        self._correlation = 0.0
        self._ramp = (np.arange(block_frames, dtype=np.float32) + 1.0) / np.float32(block_frames)
        self._stopped_frames = 0

        self._current: ActiveRig | None = None
        self._old: ActiveRig | None = None
        self._mixed = np.zeros(block_frames, np.float32)

        self._period_s = block_frames / rate_hz
        self._last_start = 0.0
        self._is_busy = False
        self._next_telemetry = 0.0
        self._blocks = self._clips = self._late = self._xruns = self._faults = 0
        self._recording_lost = 0
        self._peak_in = self._peak_out = 0.0
        self._busy_s = self._busy_peak_s = 0.0
        self._blocks_reported = 0

    @property
    def active_rigs(self) -> tuple[ActiveRig, ...]:
        """The rigs that sound. Thread: any (a snapshot, which may be outdated)."""
        return tuple(rig for rig in (self._current, self._old) if rig is not None)

    @property
    def idle_s(self) -> float:
        """[s] Time since the device last requested a block. Thread: any.

        0 while a block is being processed: the device is not the cause of that time.
        """
        return 0.0 if self._is_busy else time.perf_counter() - self._last_start

    @property
    def is_stopped(self) -> bool:
        """Whether the fade-out after `stopping` is over. Thread: any."""
        return self.stopping and self._stopped_frames >= self._fade_frames

    def process(self, block: Block, out: Block, *, xrun: bool = False) -> None:
        """Play one block: reads `block` [frames] and fills all of `out` [frames]."""
        started = time.perf_counter()
        self._is_busy = True
        self._count_start(started, xrun)
        try:
            self._drain_settings()
            self._take_next_rig()
            self._render(block, out)
            if self.stopping:
                self._fade_out(out)
        except Exception:
            out[:] = 0.0
            self._faults += 1
        self._record(out)
        self._send_telemetry(started)
        self._is_busy = False

    # --- the steps, in order -------------------------------------------------------------------

    def _count_start(self, started: float, xrun: bool) -> None:
        if self._last_start and started - self._last_start > 2.0 * self._period_s:
            self._late += 1
        self._last_start = started
        self._xruns += xrun
        self._blocks += 1

    def _drain_settings(self) -> None:
        if self._settings_fd < 0:
            return
        try:
            data = os.read(self._settings_fd, _PIPE_READ_BYTES)
        except BlockingIOError:
            return
        for rig in (self._current, self._old, self.pending_rig):
            if rig is not None:
                controls = newest_settings(data, rig.rig_id)
                if controls is not None and controls.size == rig.controls.size:
                    rig.controls = controls

    def _take_next_rig(self) -> None:
        if self._old is None and self._faded == 0 and self.pending_rig is not None:
            self._old, self._current, self.pending_rig = self._current, self.pending_rig, None
            self._faded = 1  # in a crossfade, counted from 1

    def _render(self, block: Block, out: Block) -> None:
        rig = self._current
        if rig is None:
            out[:] = 0.0
            self._peak_in = max(self._peak_in, float(np.abs(block).max()))
            return
        self._run(rig, block, out)
        self.frames_played += out.size
        if self._faded:
            start = self._faded - 1
            rise = self._rise[start : start + out.size]
            if self._old is None:
                out *= rise
            else:
                self._run(self._old, block, self._mixed)
                fall = self._fall[start : start + out.size]
                gain = self._crossfade_gain(out, self._mixed, rise, fall)
                out *= rise
                self._mixed *= fall
                out += self._mixed
                out *= gain
                # Two rigs together must not exceed the limiter's ceiling either.
                np.clip(out, -CEILING, CEILING, out)
            self._faded += out.size
            if self._faded > self._fade_frames:
                self._faded = 0
                if self._old is not None:
                    self.retired.append(self._old)
                    self._old = None

    def _crossfade_gain(self, new: Block, old: Block, rise: Block, fall: Block) -> Block:
        """Return the gain [frames] that keeps the power of a crossfade constant.

        Sine and cosine alone do so for uncorrelated sounds; two models of one guitar are
        correlated and would get up to 3 dB louder. With the correlation r, the power of the sum is
        1 + 2 r sin cos. A negative correlation counts as 0: nothing is amplified.
        """
        energy = float(new @ new) * float(old @ old)
        now = max(0.0, float(new @ old)) / energy**0.5 if 0.0 < energy < _INFINITE else 0.0
        before = now if self._faded == 1 else self._correlation
        self._correlation = now
        # A ramp from the correlation of the last block, so that the gain has no audible step.
        correlation = np.float32(before) + np.float32(now - before) * self._ramp
        gain: Block = np.reciprocal(np.sqrt(1.0 + 2.0 * correlation * rise * fall))
        return gain

    def _run(self, rig: ActiveRig, block: Block, out: Block) -> None:
        if rig.state is None:
            rig.reset()
        # Donated to the call: an error in the call leaves no state to continue with.
        state, rig.state = rig.state, None
        if state is None:  # silent until the helper thread has refilled the reserve
            out[:] = 0.0
            return
        try:
            after, sound = rig.call(rig.weights, rig.controls, state, block)
            samples = np.asarray(sound)
            peak_in, peak_out, magnitudes = samples[-3:].tolist()
        except Exception:
            # Caught here, so that a crossfade continues and the next rig can be taken.
            magnitudes = _INFINITE
        if not magnitudes < _INFINITE:
            # The block is muted. Its state is non-finite or lost, so the rig restarts.
            out[:] = 0.0
            self._faults += 1
            rig.reset()
            return
        rig.state = after
        out[:] = samples[:-3]
        self._peak_in = max(self._peak_in, peak_in)
        self._peak_out = max(self._peak_out, peak_out)
        self._clips += peak_out > FULL_SCALE

    def _fade_out(self, out: Block) -> None:
        start = min(self._stopped_frames, self._fade_frames)
        out *= self._fall[start : start + out.size]
        self._stopped_frames += out.size

    def _record(self, out: Block) -> None:
        if self._recording_fd < 0 or not self.frames_played:
            return
        if not write_whole(self._recording_fd, out.tobytes()):
            self._recording_lost += out.size

    def _send_telemetry(self, started: float) -> None:
        ended = time.perf_counter()
        busy = ended - started
        self._busy_s += busy
        self._busy_peak_s = max(self._busy_peak_s, busy)
        if self._times is not None:
            self._times.count(busy, late=self._late, xruns=self._xruns, faults=self._faults)
        if ended < self._next_telemetry or self._telemetry_fd < 0:
            return
        self._next_telemetry = ended + TELEMETRY_S
        blocks = self._blocks - self._blocks_reported
        is_alone = self._current is not None and not self._faded
        record = TelemetryRecord(
            blocks=self._blocks,
            rig_id=self._current.rig_id if is_alone and self._current else 0,
            clips=self._clips,
            late=self._late,
            xruns=self._xruns,
            faults=self._faults,
            recording_lost=self._recording_lost,
            peak_in=self._peak_in,
            peak_out=self._peak_out,
            load=self._busy_s / (blocks * self._period_s),
            load_peak=self._busy_peak_s / self._period_s,
        )
        if write_whole(self._telemetry_fd, encode_telemetry(record)):
            self._peak_in = self._peak_out = 0.0
            self._busy_s = self._busy_peak_s = 0.0
            self._blocks_reported = self._blocks
