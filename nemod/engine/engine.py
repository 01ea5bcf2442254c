"""The engine plays a rig: one call per block, on the device's thread.

`Engine.process` is the only code of the project that runs on the audio thread. It takes no lock,
writes no log, parses and compiles nothing and frees nothing large: settings are read from a
non-blocking pipe, new rigs are found in a slot that a helper thread fills, old ones are laid in a
tray that the helper thread empties, and what happened leaves as counts on a pipe.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nemod.engine.histogram import BlockTimes
from nemod.engine.ipc import (
    SETTINGS_BYTES,
    TELEMETRY_S,
    TelemetryRecord,
    encode_telemetry,
    newest_settings,
    write_whole,
)

FADE_S = 0.03
"""[s] Crossfade from one rig to the next."""

CEILING = 10.0 ** (-1.0 / 20.0)
"""The limiter's ceiling; two rigs that are heard together must not rise above it either."""

FULL_SCALE = 1.0
"""A block with a larger peak before the limiter counts as clipped."""

_INFINITE = float("inf")
_PIPE_READ_BYTES = 64 * SETTINGS_BYTES

Block = NDArray[np.float32]
Call = Callable[[list[Any], Any, list[Any], Any], tuple[list[Any], Any]]


class ActiveRig:
    """A loaded rig with what it remembers. Made on the helper thread, then the engine's own."""

    __slots__ = ("call", "controls", "rig_id", "spare", "state", "weights")

    def __init__(
        self,
        rig_id: int,
        call: Call,
        weights: list[Any],
        states: tuple[list[Any], list[Any]],
        controls: Block,
    ) -> None:
        """`states`: the warmed state twice, in buffers of their own; the second is the spare."""
        self.rig_id = rig_id
        self.call = call
        self.weights = weights
        self.state: list[Any] | None = states[0]
        self.spare: list[Any] | None = states[1]
        self.controls = controls

    def reset(self) -> None:
        """Go back to the warmed state; silent until the helper thread has laid out a new spare."""
        self.state, self.spare = self.spare, None


class Engine:
    """Plays one rig, or two while one fades into the other. Thread: audio, unless said."""

    def __init__(
        self,
        rate_hz: int,
        block_frames: int,
        *,
        settings_fd: int = -1,
        report_fd: int = -1,
        tape_fd: int = -1,
        times: BlockTimes | None = None,
    ) -> None:
        """The descriptors are non-blocking pipe ends; -1 leaves one out. `times` counts blocks."""
        self.rate_hz = rate_hz
        self.block_frames = block_frames
        self._settings_fd = settings_fd
        self._report_fd = report_fd
        self._tape_fd = tape_fd
        self._times = times

        self.slot: ActiveRig | None = None
        """Helper thread -> engine: the next rig. The engine takes it when no fade is under way."""
        self.retired: deque[ActiveRig] = deque()
        """Engine -> helper thread: rigs that are no longer heard, to be freed there."""
        self.leaving = False
        """Any thread: fade to silence and stay silent."""
        self.frames_played = 0
        """Frames since the first rig was first heard."""

        fade = max(1, round(FADE_S * rate_hz))
        phase = (np.arange(fade + block_frames, dtype=np.float64) + 1.0) / fade
        phase = np.minimum(phase, 1.0) * (np.pi / 2.0)
        # Equal power; the last entries hold the end of the fade for blocks that reach past it.
        self._rise = np.sin(phase).astype(np.float32)
        self._fall = np.cos(phase).astype(np.float32)
        self._fall[fade - 1 :] = 0.0
        self._fade_frames = fade
        self._faded = 0
        self._alike = 0.0
        self._steps = (np.arange(block_frames, dtype=np.float32) + 1.0) / np.float32(block_frames)
        self._left = 0

        self._current: ActiveRig | None = None
        self._old: ActiveRig | None = None
        self._mixed = np.zeros(block_frames, np.float32)

        self._period_s = block_frames / rate_hz
        self._last_start = 0.0
        self._is_busy = False
        self._next_report = 0.0
        self._blocks = self._clips = self._late = self._xruns = self._faults = 0
        self._tape_lost = 0
        self._peak_in = self._peak_out = 0.0
        self._busy_s = self._busy_peak_s = 0.0
        self._blocks_reported = 0

    @property
    def playing(self) -> tuple[ActiveRig, ...]:
        """The rigs that are heard. Thread: any (a glance; it may have changed since)."""
        return tuple(rig for rig in (self._current, self._old) if rig is not None)

    @property
    def quiet_s(self) -> float:
        """[s] Since the device last asked for a block. Thread: any.

        0 while a block is being made: how long that takes is not the device's doing.
        """
        return 0.0 if self._is_busy else time.perf_counter() - self._last_start

    @property
    def silent(self) -> bool:
        """Whether the engine has left. Thread: any."""
        return self.leaving and self._left >= self._fade_frames

    def process(self, block: Block, out: Block, *, xrun: bool = False) -> None:
        """Play one block: `block` [frames] in, `out` [frames] filled whole."""
        started = time.perf_counter()
        self._is_busy = True
        self._count_start(started, xrun)
        try:
            self._drain_settings()
            self._take_next_rig()
            self._render(block, out)
            if self.leaving:
                self._leave(out)
        except Exception:
            out[:] = 0.0
            self._faults += 1
        self._record(out)
        self._report(started)
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
        for rig in (self._current, self._old, self.slot):
            if rig is not None:
                controls = newest_settings(data, rig.rig_id)
                if controls is not None and controls.size == rig.controls.size:
                    rig.controls = controls

    def _take_next_rig(self) -> None:
        if self._old is None and self._faded == 0 and self.slot is not None:
            self._old, self._current, self.slot = self._current, self.slot, None
            self._faded = 1  # a fade is under way; frames are counted from 1

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
                even = self._crossfade_gain(out, self._mixed, rise, fall)
                out *= rise
                self._mixed *= fall
                out += self._mixed
                out *= even
                np.clip(out, -CEILING, CEILING, out)
            self._faded += out.size
            if self._faded > self._fade_frames:
                self._faded = 0
                if self._old is not None:
                    self.retired.append(self._old)
                    self._old = None

    def _crossfade_gain(self, new: Block, old: Block, rise: Block, fall: Block) -> Block:
        """Return the gain [frames] that keeps the power of a crossfade equal where both are alike.

        Sine and cosine do so for sounds that have nothing in common; two models of one guitar have,
        and would bulge by up to 3 dB. With the correlation r of both, the power of the sum is
        1 + 2 r sin cos. Sounds that are each other's opposite are left alone: nothing is amplified.
        """
        energy = float(new @ new) * float(old @ old)
        alike = max(0.0, float(new @ old)) / energy**0.5 if 0.0 < energy < _INFINITE else 0.0
        before = alike if self._faded == 1 else self._alike
        self._alike = alike
        # From one block's correlation to the next in steps too small to be heard.
        course = np.float32(before) + np.float32(alike - before) * self._steps
        even: Block = np.reciprocal(np.sqrt(1.0 + 2.0 * course * rise * fall))
        return even

    def _run(self, rig: ActiveRig, block: Block, out: Block) -> None:
        if rig.state is None:
            rig.reset()
        # Donated to the call: after an error in it there is no state to go on with.
        state, rig.state = rig.state, None
        if state is None:  # no spare yet: silent until the helper thread has laid one out
            out[:] = 0.0
            return
        try:
            after, sound = rig.call(rig.weights, rig.controls, state, block)
            heard = np.asarray(sound)
            peak_in, peak_out, peak_any = heard[-3:].tolist()
        except Exception:
            # Caught here, so that a fade goes on and the next rig gets its turn.
            peak_any = _INFINITE
        if not peak_any < _INFINITE:
            # Never heard: the state is poisoned or lost, so the rig starts afresh.
            out[:] = 0.0
            self._faults += 1
            rig.reset()
            return
        rig.state = after
        out[:] = heard[:-3]
        self._peak_in = max(self._peak_in, peak_in)
        self._peak_out = max(self._peak_out, peak_out)
        self._clips += peak_out > FULL_SCALE

    def _leave(self, out: Block) -> None:
        start = min(self._left, self._fade_frames)
        out *= self._fall[start : start + out.size]
        self._left += out.size

    def _record(self, out: Block) -> None:
        if self._tape_fd < 0 or not self.frames_played:
            return
        if not write_whole(self._tape_fd, out.tobytes()):
            self._tape_lost += out.size

    def _report(self, started: float) -> None:
        ended = time.perf_counter()
        busy = ended - started
        self._busy_s += busy
        self._busy_peak_s = max(self._busy_peak_s, busy)
        if self._times is not None:
            self._times.count(busy, late=self._late, xruns=self._xruns, faults=self._faults)
        if ended < self._next_report or self._report_fd < 0:
            return
        self._next_report = ended + TELEMETRY_S
        blocks = self._blocks - self._blocks_reported
        alone = self._current is not None and not self._faded
        report = TelemetryRecord(
            blocks=self._blocks,
            rig_id=self._current.rig_id if alone and self._current else 0,
            clips=self._clips,
            late=self._late,
            xruns=self._xruns,
            faults=self._faults,
            tape_lost=self._tape_lost,
            peak_in=self._peak_in,
            peak_out=self._peak_out,
            load=self._busy_s / (blocks * self._period_s),
            load_peak=self._busy_peak_s / self._period_s,
        )
        if write_whole(self._report_fd, encode_telemetry(report)):
            self._peak_in = self._peak_out = 0.0
            self._busy_s = self._busy_peak_s = 0.0
            self._blocks_reported = self._blocks
