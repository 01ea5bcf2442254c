"""The engine plays a rig: one call per block, on the device's thread.

`Engine.process` is the only code of the project that runs on the audio thread. It takes no lock,
writes no log, parses and compiles nothing and frees nothing large: settings are read from a
non-blocking pipe, a helper thread provides the next rig in `pending_rig` and frees those in
`retired`, and telemetry leaves on a non-blocking pipe; so do the output, where it is recorded, and
the input, while the tuner runs.

A change of rig is a crossfade, at whose start the next rig takes over what rings in the delay lines
(`nemod.engine.tails`). Where two rigs take too long, the old one's sound is continued without it
(`nemod.engine.continuation`). A panic ends everything that sounds (`nemod.engine.panic`).
"""

import os
import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from nemod.engine.active_rig import ActiveRig
from nemod.engine.continuation import Continuation
from nemod.engine.crossfade import Crossfade
from nemod.engine.devices.base import output_block
from nemod.engine.histogram import BlockTimes
from nemod.engine.ipc import (
    INPUT_ID,
    LOAD_BINS,
    LOAD_BINS_PER_PERIOD,
    PANIC_ID,
    SETTINGS_BYTES,
    TELEMETRY_S,
    TelemetryRecord,
    encode_telemetry,
    newest_settings,
    write_whole,
)
from nemod.engine.panic import Panic
from nemod.fx.tools.ceiling import CEILING

FULL_SCALE = 1.0
"""A block with a larger peak before the limiter counts as clipped."""

BOTH_SHARE = 0.3
"""Share of the period in which both rigs of a crossfade have to fit. The rest is for all else that
may delay a block, and for a machine on which two rigs do not fit in any case."""

_INFINITE = float("inf")
_SMOOTHING = 1.0 / 16.0
_PIPE_READ_BYTES = 32 * SETTINGS_BYTES

Block = NDArray[np.float32]
"""[frames]; of two outputs [2, frames]."""


class Engine:
    """Plays one rig, or two during a crossfade. Thread: audio, unless stated."""

    def __init__(
        self,
        rate_hz: int,
        block_frames: int,
        *,
        outputs: int = 1,
        settings_fd: int = -1,
        telemetry_fd: int = -1,
        recording_fd: int = -1,
        input_fd: int = -1,
        times: BlockTimes | None = None,
    ) -> None:
        """All rigs have this many outputs, 1 or 2.

        The descriptors are non-blocking pipe ends; -1 omits one. `times` counts block times.
        """
        self.rate_hz = rate_hz
        self.block_frames = block_frames
        self.outputs = outputs
        self._settings_fd = settings_fd
        self._telemetry_fd = telemetry_fd
        self._recording_fd = recording_fd
        self._input_fd = input_fd
        self._streams_input = False
        self._times = times

        self.pending_rig: ActiveRig | None = None
        """Helper thread -> engine: the next rig, set by `offer`. The engine takes it between
        crossfades."""
        self.retired: deque[ActiveRig] = deque()
        """Engine -> helper thread: rigs that no longer sound, to be freed there."""
        self.stopping = False
        """Set from any thread: fade to silence and stay silent."""
        self.frames_played = 0
        """Frames since the first rig started."""

        self._crossfade = Crossfade(rate_hz, block_frames)
        self._panic = Panic(rate_hz, block_frames)
        self._silence = np.zeros(block_frames, np.float32)
        self._stopped_frames = 0

        self._current: ActiveRig | None = None
        self._old: ActiveRig | None = None
        self._mixed = output_block(outputs, block_frames)
        self._current_past, self._old_past = (
            Continuation(rate_hz, self._mixed.shape, self._crossfade.frames) for _ in range(2)
        )
        self._is_continued = False
        """Whether the old rig's sound is continued without it."""
        self._current_s = self._old_s = 0.0
        """[s] Time from the start of a block until a rig has played it, smoothed."""

        self._period_s = block_frames / rate_hz
        self._last_start = 0.0
        self._is_busy = False
        self._next_telemetry = 0.0
        self._blocks = self._clips = self._late = self._xruns = self._faults = 0
        self._recording_lost = 0
        self._peak_in = self._peak_out = 0.0
        self._busy_s = self._busy_peak_s = 0.0
        self._load_counts = [0] * LOAD_BINS
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
        return self.stopping and self._stopped_frames >= self._crossfade.frames

    def offer(self, rig: ActiveRig) -> None:
        """Make a rig the next one. Thread: helper.

        What the old one's sound may be continued with is searched here, because that takes as long
        as a small rig.
        """
        self._current_past.search()
        self.pending_rig = rig

    def process(self, block: Block, out: Block, *, xrun: bool = False) -> None:
        """Play one block: reads `block` [frames] and fills all of `out`.

        That is [frames] with one output and [2, frames] with two.
        """
        started = time.perf_counter()
        self._is_busy = True
        self._count_start(started, xrun)
        try:
            self._drain_settings()
            if self._panic.is_settling and self._current is not None:
                self._settle(self._current, block, out)
            else:
                self._take_next_rig()
                self._render(block, out)
                if self._panic.is_fading and self._panic.fade_out(out):
                    self._restart()
            if self.stopping:
                self._fade_out(out)
        except Exception:
            out[:] = 0.0
            self._faults += 1
        self._record(out)
        if self._streams_input:
            # What does not fit is dropped: whoever reads it starts anew after a gap.
            write_whole(self._input_fd, block.tobytes())
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
        if newest_settings(data, PANIC_ID) is not None:
            self._panic.start()
        stream = newest_settings(data, INPUT_ID)
        if stream is not None:
            self._streams_input = self._input_fd >= 0 and bool(stream[0])

    def _take_next_rig(self) -> None:
        if self.pending_rig is None or self._crossfade.is_active or self._panic.is_active:
            return
        self._old, self._current, self.pending_rig = self._current, self.pending_rig, None
        self._current_past, self._old_past = self._old_past, self._current_past
        self._current_past.forget()
        self._old_s = self._current_s
        self._is_continued = False
        self._crossfade.start()
        if self._old is not None:
            self._current.continue_tails(self._old)

    def _render(self, block: Block, out: Block) -> None:
        rig = self._current
        if rig is None:
            out[:] = 0.0
            self._peak_in = max(self._peak_in, float(np.abs(block).max()))
            return
        self._run(rig, block, out)
        self.frames_played += block.size
        self._current_past.note(out)
        took_s = time.perf_counter() - self._last_start
        self._current_s += (took_s - self._current_s) * _SMOOTHING
        if not self._crossfade.is_active:
            return
        if self._old is None and not self._is_continued:
            self._crossfade.fade_in(out)
        else:
            self._crossfade.mix(out, self._old_sound(block, took_s))
            # Two rigs together must not exceed the limiter's ceiling either.
            np.clip(out, -CEILING, CEILING, out)
        if self._crossfade.advance(block.size):
            self._is_continued = False
            self._retire_old()

    def _old_sound(self, block: Block, took_s: float) -> Block:
        """Return the old rig's sound for this block: played, or continued where time is short.

        `took_s` [s]: since the start of the block.
        """
        if self._old is not None:
            if took_s + self._old_s <= BOTH_SHARE * self._period_s:
                self._run(self._old, block, self._mixed)
                self._old_past.note(self._mixed)
                return self._mixed
            self._old_past.start()
            self._is_continued = True
            self._retire_old()
        return self._old_past.take(block.size)

    def _retire_old(self) -> None:
        if self._old is not None:
            self.retired.append(self._old)
            self._old = None

    def _run(self, rig: ActiveRig, block: Block, out: Block) -> None:
        if rig.state is None:
            rig.reset()
        # Donated to the call: an error in the call leaves no state to continue with.
        state, rig.state = rig.state, None
        if state is None:  # silent until the helper thread has refilled the reserve
            out[:] = 0.0
            return
        try:
            after, samples = rig.call(rig.weights, rig.controls, state, block)
            peak_in, peak_out, magnitudes = samples[-3:].tolist()
        except Exception:
            # Caught here, so that a crossfade continues and the next rig can be taken.
            magnitudes = _INFINITE
        if not magnitudes < _INFINITE:
            # The block is muted. Its state is non-finite or lost, so the rig restarts.
            out[:] = 0.0
            self._faults += 1
            rig.state = state  # for the helper thread to free
            rig.reset()
            return
        rig.state = after
        out[:] = samples[:-3].reshape(out.shape)
        self._peak_in = max(self._peak_in, peak_in)
        self._peak_out = max(self._peak_out, peak_out)
        self._clips += peak_out > FULL_SCALE

    def _restart(self) -> None:
        """After the fade of a panic: go on with one rig, whose delay lines are empty."""
        self._crossfade.cancel()
        self._is_continued = False
        self._retire_old()
        if self._current is not None:
            self._current.reset()
            self._panic.settle()

    def _settle(self, rig: ActiveRig, block: Block, out: Block) -> None:
        """Play silence to the rig, unheard, until its knobs have reached their positions."""
        if self.pending_rig is not None:
            # Its knobs have to settle too, and it must not get the tails of an older rig.
            self.retired.append(rig)
            self._current = rig = self.pending_rig
            self.pending_rig = None
            self._panic.settle()
        self._run(rig, self._silence, out)
        self._peak_in = max(self._peak_in, float(np.abs(block).max()))
        self.frames_played += block.size
        out[:] = 0.0
        # A rig without a state waits for the helper thread, which refills its reserve.
        if rig.state is not None and self._panic.count_settled():
            self._crossfade.start()

    def _fade_out(self, out: Block) -> None:
        self._crossfade.fade_out(out, self._stopped_frames)
        self._stopped_frames += out.shape[-1]

    def _record(self, out: Block) -> None:
        if self._recording_fd < 0 or not self.frames_played:
            return
        # Frame by frame, as a file has them: of two outputs, left and right alternate.
        if not write_whole(self._recording_fd, out.tobytes("F")):
            self._recording_lost += out.shape[-1]

    def _send_telemetry(self, started: float) -> None:
        ended = time.perf_counter()
        busy = ended - started
        self._busy_s += busy
        self._busy_peak_s = max(self._busy_peak_s, busy)
        if not self._crossfade.is_active:
            place = int(busy / self._period_s * LOAD_BINS_PER_PERIOD)
            self._load_counts[min(place, LOAD_BINS - 1)] += 1
        if self._times is not None:
            self._times.count(busy, late=self._late, xruns=self._xruns, faults=self._faults)
        if ended < self._next_telemetry or self._telemetry_fd < 0:
            return
        self._next_telemetry = ended + TELEMETRY_S
        blocks = self._blocks - self._blocks_reported
        is_alone = self._current is not None and not self._crossfade.is_active
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
            load_counts=self._load_counts,
        )
        if write_whole(self._telemetry_fd, encode_telemetry(record)):
            self._peak_in = self._peak_out = 0.0
            self._busy_s = self._busy_peak_s = 0.0
            self._load_counts = [0] * LOAD_BINS
            self._blocks_reported = self._blocks
