"""Both directions of a device, started together, one block at a time; recovery from xruns.

The output is filled with silence for the wanted number of periods, then both directions start.
From then on a block that was recorded is played exactly that much later: the latency is the silence
at the start, and stays the same for as long as no xrun occurs. After an xrun both directions are
prepared, filled and started anew, so that the gap is as long as that silence.

Some cards accept a buffer that they cannot run with, because their position moves on in larger
steps (snd-aloop follows the kernel's tick of 4 ms). `try_out` shows that before the rig is heard.
"""

import errno
import math
import time

from nemod.engine.devices.alsa.formats import Frames
from nemod.engine.devices.alsa.library import (
    GONE,
    STATE_DISCONNECTED,
    STATE_SUSPENDED,
    STATE_XRUN,
    message,
)
from nemod.engine.devices.alsa.pcm import Pcm

TRIAL_S = 0.05
"""[s] Silence that is played before the sound, to see whether the card keeps up."""
TRIALS = 3
"""How often a card may fail before its buffer counts as too small."""
STALL_S = 0.25
"""[s] A card that is this much later with a block than its buffer is long is started anew."""
MOST_RECOVERIES = 20
"""Most recoveries in a row without a block in between that was recorded and played."""
SLACK_MS = 20
"""[ms] How much later than a whole buffer a block may come before the state is looked at. The
kernel wakes the thread up when a card is unplugged; this limit is for drivers that do not."""
_PAUSE_S = 0.0005
"""[s] Between two attempts to transfer where the last one did nothing."""
_RESUME_S = 0.02
"""[s] Between two attempts to continue after a suspend."""
_RESUMES = 50
_XRUNS = frozenset({-errno.EPIPE, -errno.EBADFD})
"""EBADFD: the other, linked direction has stopped this one."""
_AGAIN = frozenset({-errno.EAGAIN, -errno.EINTR})


class Fault(Exception):  # noqa: N818 - it ends the thread of the device
    """The device cannot go on; the text says why."""


class Interrupted(Exception):  # noqa: N818 - a step of the recovery
    """A transfer that an xrun or a suspend has interrupted."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class DuplexStream:
    """Capture and playback of a device. Thread: audio."""

    def __init__(
        self, capture: Pcm, playback: Pcm, *, block_frames: int, periods: int, title: str
    ) -> None:
        """Both are set up for the same rate and block. Thread: control."""
        self.title = title
        self._capture, self._playback = capture, playback
        self._block_frames = block_frames
        self.is_linked = capture.link(playback)
        period = max(block_frames, capture.period_frames, playback.period_frames)
        room = playback.buffer_frames
        self.prefill_frames = min(periods * period, room)
        """Silence at the start, which is the latency."""
        self.latency_frames = self.prefill_frames
        """From input to output, as the driver states it once it runs."""
        longest = max(capture.buffer_frames, playback.buffer_frames) / playback.rate_hz
        self._limit_ms = math.ceil(1e3 * longest) + SLACK_MS
        self._recoveries = 0

    # --- transfers -------------------------------------------------------------------------------

    def try_out(self) -> bool:
        """Start both directions and play silence; return whether there was no xrun.

        Both run on afterwards if so; else the next block recovers them. Takes the latency from what
        the driver states. Raises: Fault.
        """
        for _ in range(TRIALS):
            try:
                self._start()
                self._play_silence(math.ceil(TRIAL_S * self._playback.rate_hz / self._block_frames))
            except Interrupted:
                continue
            return True
        return False

    def _play_silence(self, blocks: int) -> None:
        stated = []
        for _ in range(blocks):
            self._wait(self._capture)
            # What waits in the input and what waits in the output is what a sample passes.
            waiting, queued = self._capture.delay_frames(), self._playback.delay_frames()
            if waiting is not None and queued is not None:
                stated.append(waiting + queued)
            self.read()
            self.write()
        self.latency_frames = max(self.prefill_frames, min(stated, default=0))

    def read(self) -> None:
        """Wait for a block and read it. Raises: Interrupted, Fault."""
        capture, count = self._capture, self._block_frames
        self._wait(capture)
        code = capture.transfer(0, count)
        if code != count:
            self._transfer_rest(capture, code)

    def write(self) -> None:
        """Write a block; there is room when the block was read. Raises: Interrupted, Fault."""
        code = self._playback.transfer(0, self._block_frames)
        if code != self._block_frames:
            self._transfer_rest(self._playback, code)
        self._recoveries = 0

    def _transfer_rest(self, pcm: Pcm, code: int) -> None:
        """Transfer what the first attempt at a block, which has returned `code`, has left."""
        done, count, idle = 0, self._block_frames, 0
        deadline = time.monotonic() + 1e-3 * self._limit_ms + STALL_S
        while True:
            if code > 0:
                done, idle = done + code, 0
                if done == count:
                    return
            elif code == 0 or code in _AGAIN:
                idle += 1
                if idle > 1:
                    # The card is said to be ready and transfers nothing: this thread, at real-time
                    # priority, must not take the whole processor meanwhile.
                    time.sleep(_PAUSE_S)
            else:
                raise self._problem(pcm, code)
            if time.monotonic() > deadline:
                raise Interrupted(-errno.ETIMEDOUT)
            self._wait(pcm)
            code = pcm.transfer(done, count - done)

    def _wait(self, pcm: Pcm) -> None:
        """Wait until something can be transferred. Raises: Interrupted, Fault."""
        code = pcm.wait(self._limit_ms)
        if code != 1:
            self._wait_longer(pcm, code)

    def _wait_longer(self, pcm: Pcm, code: int) -> None:
        """Wait on after a wait that has returned `code`. Raises: Interrupted, Fault."""
        deadline = time.monotonic() + STALL_S
        while True:
            if code < 0 and code not in _AGAIN:
                raise self._problem(pcm, code)
            state = pcm.state()
            if state == STATE_DISCONNECTED:
                raise Fault(self._gone)
            if state == STATE_XRUN:
                raise Interrupted(-errno.EPIPE)
            if state == STATE_SUSPENDED:
                raise Interrupted(-errno.ESTRPIPE)
            if time.monotonic() > deadline:
                raise Interrupted(-errno.ETIMEDOUT)
            code = pcm.wait(self._limit_ms)
            if code == 1:
                return

    @property
    def _gone(self) -> str:
        return f"the device {self.title!r} was disconnected"

    def _problem(self, pcm: Pcm, code: int) -> Exception:
        """Return the exception for what a call returned."""
        if code in GONE or pcm.state() == STATE_DISCONNECTED:
            return Fault(self._gone)
        if code in _XRUNS or code in (-errno.ESTRPIPE, -errno.EIO):
            return Interrupted(code)
        return Fault(f"the device {self.title!r} failed: {message(code)}")

    # --- recovery --------------------------------------------------------------------------------

    def recover(self, code: int) -> None:
        """Prepare, fill and start both directions anew. Raises: Fault."""
        while True:
            self._recoveries += 1
            if self._recoveries > MOST_RECOVERIES:
                raise Fault(
                    f"the device {self.title!r} does not recover: {message(code)}, "
                    f"{MOST_RECOVERIES} times in a row"
                )
            try:
                if code == -errno.ESTRPIPE:
                    self._resume()
                self._start()
            except Interrupted as interrupted:
                code = interrupted.code
            else:
                return

    def _resume(self) -> None:
        """Wait until a suspended card is back; `_start` then starts it anew."""
        for _ in range(_RESUMES):
            if self._capture.resume() != -errno.EAGAIN:
                return
            time.sleep(_RESUME_S)

    def _start(self) -> None:
        capture, playback = self._capture, self._playback
        # One that still runs cannot be prepared. Stopping one that has stopped does no harm.
        for pcm in (capture, playback):
            code = pcm.drop()
            if code in GONE:
                raise Fault(self._gone)
            if self.is_linked:
                break
        for pcm in (capture,) if self.is_linked else (capture, playback):
            self._do(pcm, pcm.prepare())
        self._fill()
        if not self.is_linked:
            self._do(playback, playback.start())
        self._do(capture, capture.start())

    def _fill(self) -> None:
        frames = self._playback.frames
        assert frames is not None
        frames.raw.fill(0)
        left = self.prefill_frames
        while left > 0:
            code = self._playback.transfer(0, min(left, self._block_frames))
            if code in _AGAIN or code == 0:
                return  # full: the buffer is smaller than it states
            self._do(self._playback, code)
            left -= code

    def _do(self, pcm: Pcm, code: int) -> None:
        if code < 0:
            raise self._problem(pcm, code)

    # --- samples ---------------------------------------------------------------------------------

    @property
    def frames(self) -> tuple[Frames, Frames]:
        """The block that was read, and the one that is written next."""
        captured, played = self._capture.frames, self._playback.frames
        assert captured is not None
        assert played is not None
        return captured, played

    def close(self) -> None:
        """Stop and release both directions. Thread: any."""
        self._capture.drop()
        self._playback.drop()
        self._capture.close()
        self._playback.close()
