"""The engine plays a rig: one call per block, on the device's thread.

`Engine.process` is the only code of the project that runs on the audio thread. It takes no lock,
writes no log, parses and compiles nothing and frees nothing large: settings are read from a
non-blocking pipe, a helper thread provides the next rig in `pending_rig` and frees those in
`retired`, and telemetry leaves on a non-blocking pipe; so do the output, where it is recorded, and
the input, while the tuner runs.

A change of rig is a crossfade, at whose start the next rig takes over what rings in the delay lines
(`nemod.engine.tails`). Where there is a second core, the old rig plays there meanwhile
(`nemod.engine.second_core`). A panic ends everything that sounds (`nemod.engine.panic`).
"""

import os
import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from nemod.engine.active_rig import ActiveRig, Played
from nemod.engine.crossfade import Crossfade
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
from nemod.engine.second_core import SecondCore
from nemod.fx.tools.ceiling import CEILING

FULL_SCALE = 1.0
"""A block with a larger peak before the limiter counts as clipped."""

WAIT_SHARE = 0.7
"""Share of the period after whose end a crossfade no longer waits for the second core."""

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
        input_fd: int = -1,
        times: BlockTimes | None = None,
        second_core: SecondCore | None = None,
    ) -> None:
        """The descriptors are non-blocking pipe ends; -1 omits one. `times` counts block times.

        `second_core` plays the old rig of a crossfade; without one the two play in turn.
        """
        self.rate_hz = rate_hz
        self.block_frames = block_frames
        self._settings_fd = settings_fd
        self._telemetry_fd = telemetry_fd
        self._recording_fd = recording_fd
        self._input_fd = input_fd
        self._streams_input = False
        self._times = times

        self.pending_rig: ActiveRig | None = None
        """Helper thread -> engine: the next rig. The engine takes it between crossfades."""
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
        self._second_core = second_core
        self._last = np.zeros(block_frames, np.float32)
        """The block that was played last, where there is a second core."""
        self._is_beside = False
        """Whether the old rig of this crossfade plays on the second core."""
        self._left_behind: ActiveRig | None = None
        """The old rig of a crossfade that ended early: the second core has not finished it."""
        self._mixed = np.zeros(block_frames, np.float32)

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

    def process(self, block: Block, out: Block, *, xrun: bool = False) -> None:
        """Play one block: reads `block` [frames] and fills all of `out` [frames]."""
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
        self._crossfade.start()
        if self._old is not None:
            self._current.continue_tails(self._old)
            self._is_beside = self._second_core is not None and self._is_free(self._second_core)
            if self._second_core is not None and self._is_beside:
                self._second_core.begin(self._last)

    def _is_free(self, second_core: SecondCore) -> bool:
        """Return whether the second core plays nothing, and retire what it was left with."""
        if not second_core.is_free:
            return False
        if self._left_behind is not None:
            self.retired.append(self._left_behind)
            self._left_behind = None
        return True

    def _render(self, block: Block, out: Block) -> None:
        rig, old = self._current, self._old
        if rig is None:
            out[:] = 0.0
            self._peak_in = max(self._peak_in, float(np.abs(block).max()))
            return
        beside = self._second_core if self._is_beside and old is not None else None
        has_started = False
        if beside is not None and old is not None and self._is_free(beside):
            beside.start(old, block)
            has_started = True
        elif self._left_behind is not None and self._second_core is not None:
            self._is_free(self._second_core)
        self._run(rig, block, out)
        self.frames_played += out.shape[-1]
        if self._second_core is not None:
            np.copyto(self._last, out)
        if not self._crossfade.is_active:
            return
        if old is None:
            self._crossfade.fade_in(out)
        elif beside is None:
            self._run(old, block, self._mixed)
            self._crossfade.mix(out, self._mixed)
        elif has_started and beside.wait(self._last_start + WAIT_SHARE * self._period_s):
            self._count(beside.take(self._mixed))
            self._crossfade.mix(out, self._mixed)
        else:
            self._crossfade.end_early(out, beside.last_sound)
            self._left_behind, self._old = old, None
        if old is not None:
            # Two rigs together must not exceed the limiter's ceiling either.
            np.clip(out, -CEILING, CEILING, out)
        if self._crossfade.is_active and self._crossfade.advance(out.shape[-1]):
            self._retire_old()

    def _retire_old(self) -> None:
        if self._old is not None:
            self.retired.append(self._old)
            self._old = None

    def _run(self, rig: ActiveRig, block: Block, out: Block) -> None:
        self._count(rig.play(block, out))

    def _count(self, played: Played | None) -> None:
        """Count the levels of a block, or that it was muted."""
        if played is None:
            self._faults += 1
            return
        self._peak_in = max(self._peak_in, played.peak_in)
        self._peak_out = max(self._peak_out, played.peak_out)
        self._clips += played.peak_out > FULL_SCALE

    def _restart(self) -> None:
        """After the fade of a panic: go on with one rig, whose delay lines are empty."""
        self._crossfade.cancel()
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
        self.frames_played += out.size
        out[:] = 0.0
        # A rig without a state waits for the helper thread, which refills its reserve.
        if rig.state is not None and self._panic.count_settled():
            self._crossfade.start()

    def _fade_out(self, out: Block) -> None:
        self._crossfade.fade_out(out, self._stopped_frames)
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
