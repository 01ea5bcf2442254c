"""One direction of a card: its hardware parameters, its buffer and its transfers.

Thread: control to open, the audio thread from the start on.
"""

import errno
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

from nemod.common.errors import AudioError
from nemod.engine.devices.alsa import library
from nemod.engine.devices.alsa.formats import FORMATS, Frames, SampleFormat
from nemod.engine.devices.alsa.library import CAPTURE, AlsaError, checked

RATES_HZ = (48_000, 44_100, 96_000, 88_200)
"""[Hz] Preferred in this order where no rate is requested."""
KNOWN_RATES_HZ = (8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
ACCESSES = (library.RW_INTERLEAVED, library.RW_NONINTERLEAVED)
_DIRECTIONS = {CAPTURE: "input", library.PLAYBACK: "output"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a PCM can do, as far as it is not open elsewhere."""

    channels_min: int
    channels_max: int
    rates_hz: tuple[int, ...]
    formats: tuple[str, ...]


class Pcm:
    """An open PCM in one direction. Every method may raise AlsaError unless it returns a code."""

    def __init__(self, name: str, direction: int, title: str = "") -> None:
        """Open the PCM `name` without waiting for it. `title` is its name in messages.

        Raises: AlsaError, with the code -EBUSY where another process has it open.
        """
        self.name = name
        self.direction = direction
        self.title = title or name
        self.rate_hz = self.channels = self.period_frames = self.buffer_frames = 0
        self.format: SampleFormat = FORMATS[-1]
        self.frames: Frames | None = None
        self._ffi, self._lib = library.load()
        self._wait = self._lib.snd_pcm_wait
        reads = direction == CAPTURE
        self._interleaved = self._lib.snd_pcm_readi if reads else self._lib.snd_pcm_writei
        self._by_channel = self._lib.snd_pcm_readn if reads else self._lib.snd_pcm_writen
        self._buffer: Any = None
        self._parts: Any = None
        self._delay = self._ffi.new("snd_pcm_sframes_t *")
        handle = self._ffi.new("snd_pcm_t **")
        code = self._lib.snd_pcm_open(handle, name.encode(), direction, library.NONBLOCK)
        checked(code, f"{self._what} cannot be opened")
        self.handle = handle[0]
        self._params = self._ffi.new("snd_pcm_hw_params_t **")
        checked(self._lib.snd_pcm_hw_params_malloc(self._params), self._what)
        self._is_open = True
        try:
            self._all_parameters()
        except AlsaError:
            self.close()
            raise

    @property
    def _what(self) -> str:
        return f"the {_DIRECTIONS[self.direction]} of {self.title!r}"

    def close(self) -> None:
        """Stop and release the PCM."""
        if self._is_open:
            self._is_open = False
            self._lib.snd_pcm_hw_params_free(self._params[0])
            self._lib.snd_pcm_close(self.handle)

    # --- what it can do --------------------------------------------------------------------------

    def _all_parameters(self) -> None:
        code = self._lib.snd_pcm_hw_params_any(self.handle, self._params[0])
        checked(code, f"{self._what} has no hardware parameters")

    def _can(self, test: str, *values: int) -> bool:
        function = getattr(self._lib, f"snd_pcm_hw_params_test_{test}")
        return int(function(self.handle, self._params[0], *values)) == 0

    def _set(self, name: str, *values: Any) -> None:
        function = getattr(self._lib, f"snd_pcm_hw_params_set_{name}")
        code = function(self.handle, self._params[0], *values)
        given = values[0] if isinstance(values[0], int) else values[0][0]
        checked(code, f"{self._what} refuses {name.replace('_', ' ')} {given}")

    def _get(self, name: str, kind: str, *more: Any) -> int:
        value = self._ffi.new(kind)
        function = getattr(self._lib, f"snd_pcm_hw_params_get_{name}")
        checked(function(self._params[0], value, *more), f"{self._what}: {name}")
        return int(value[0])

    def has_rate(self, rate_hz: int) -> bool:
        """Return whether the PCM runs at this rate."""
        return self._can("rate", rate_hz, 0)

    def abilities(self) -> Abilities:
        """Return what it can do."""
        null = self._ffi.NULL
        low = self._get("rate_min", "unsigned int *", null)
        high = self._get("rate_max", "unsigned int *", null)
        known = [rate for rate in KNOWN_RATES_HZ if self.has_rate(rate)]
        return Abilities(
            channels_min=self._get("channels_min", "unsigned int *"),
            channels_max=self._get("channels_max", "unsigned int *"),
            rates_hz=tuple(known) or tuple(sorted({low, high})),
            formats=tuple(one.name for one in FORMATS if self._can("format", one.code)),
        )

    # --- setting it up ---------------------------------------------------------------------------

    def set_up(
        self, *, rate_hz: int, channels: int, preferred: int, block_frames: int, periods: int
    ) -> None:
        """Choose format, channels, rate, period and buffer; the nearest ones are taken.

        `channels`: the highest that is used, counted from 1. `preferred`: how many to open where
        the PCM has as many.

        Raises: AudioError for a channel, a rate or formats that it has not.
        """
        self._lib.snd_pcm_drop(self.handle)  # parameters are for a PCM that does not run
        self._all_parameters()
        access = next((one for one in ACCESSES if self._can("access", one)), None)
        if access is None:
            raise AudioError(f"{self._what} cannot be read and written, only be mapped")
        self._set("access", access)
        self.format = self._best_format()
        self._set("format", self.format.code)
        self.channels = self._channels(channels, preferred)
        self._set("channels", self.channels)
        self._set_rate(rate_hz)
        self._set_sizes(block_frames, periods)
        code = self._lib.snd_pcm_hw_params(self.handle, self._params[0])
        checked(code, f"{self._what} refuses its parameters")
        self.period_frames = self._get("period_size", "snd_pcm_uframes_t *", self._ffi.NULL)
        self.buffer_frames = self._get("buffer_size", "snd_pcm_uframes_t *")
        if self.buffer_frames < 2 * block_frames:
            raise AudioError(
                f"{self._what} has a buffer of {self.buffer_frames} frames at most, and a block of "
                f"{block_frames} frames needs twice that: --block {self.buffer_frames // 2}"
            )
        self._set_wake_up(block_frames)
        interleaved = access == library.RW_INTERLEAVED
        self.frames = Frames(self.format, self.channels, block_frames, interleaved=interleaved)
        self._buffer = self._ffi.from_buffer("char[]", self.frames.raw, require_writable=True)
        self._parts = None if interleaved else self._ffi.new("void *[]", self.channels)

    def _best_format(self) -> SampleFormat:
        for one in FORMATS:
            if self._can("format", one.code):
                return one
        names = ", ".join(one.name for one in FORMATS)
        raise AudioError(f"{self._what} has none of the formats {names}")

    def _channels(self, wanted: int, preferred: int) -> int:
        low = self._get("channels_min", "unsigned int *")
        high = self._get("channels_max", "unsigned int *")
        if wanted > high:
            word = _DIRECTIONS[self.direction]
            raise AudioError(f"{word} {wanted} of {self.title!r}: allowed are 1 to {high}")
        # A plug-in may state a billion channels.
        for count in chain((max(wanted, preferred),), range(max(wanted, low), high + 1)):
            if self._can("channels", count):
                return count
        raise AudioError(f"{self._what} states {low} to {high} channels and refuses them all")

    def _set_rate(self, rate_hz: int) -> None:
        if not self.has_rate(rate_hz):
            known = ", ".join(str(rate) for rate in self.abilities().rates_hz)
            raise AudioError(f"{self._what} does not run at {rate_hz} Hz; it has {known} Hz")
        self._set("rate", rate_hz, 0)
        self.rate_hz = rate_hz

    def _set_sizes(self, block_frames: int, periods: int) -> None:
        frames = self._ffi.new("snd_pcm_uframes_t *", 2 * block_frames)
        # Not every card can: the nearest buffer is then checked for being large enough.
        with suppress(AlsaError):
            self._set("buffer_size_min", frames)
        frames[0] = block_frames
        self._set("period_size_near", frames, self._ffi.NULL)
        frames[0] = periods * max(block_frames, int(frames[0]))
        self._set("buffer_size_near", frames)

    def _set_wake_up(self, block_frames: int) -> None:
        """Wake up for a transfer, start by hand, and stop when the buffer has run over or dry."""
        lib, handle = self._lib, self.handle
        params = self._ffi.new("snd_pcm_sw_params_t **")
        checked(lib.snd_pcm_sw_params_malloc(params), self._what)
        try:
            # The input wakes up for a whole block. The output takes what there is room for, as
            # libasound refuses a write while there is less room than this.
            ready_frames = block_frames if self.direction == CAPTURE else 1
            boundary = self._ffi.new("snd_pcm_uframes_t *")
            for code in (
                lib.snd_pcm_sw_params_current(handle, params[0]),
                lib.snd_pcm_sw_params_get_boundary(params[0], boundary),
                lib.snd_pcm_sw_params_set_start_threshold(handle, params[0], boundary[0]),
                lib.snd_pcm_sw_params_set_stop_threshold(handle, params[0], self.buffer_frames),
                lib.snd_pcm_sw_params_set_avail_min(handle, params[0], ready_frames),
                lib.snd_pcm_sw_params(handle, params[0]),
            ):
                checked(code, f"{self._what} refuses its wake-up")
        finally:
            lib.snd_pcm_sw_params_free(params[0])

    # --- on the audio thread: codes instead of errors --------------------------------------------

    def state(self) -> int:
        """Return ALSA's state."""
        return int(self._lib.snd_pcm_state(self.handle))

    def prepare(self) -> int:
        """Make it ready to start, with an empty buffer; a linked PCM with it."""
        return int(self._lib.snd_pcm_prepare(self.handle))

    def start(self) -> int:
        """Start it, and a linked PCM with it."""
        return int(self._lib.snd_pcm_start(self.handle))

    def drop(self) -> int:
        """Stop it at once."""
        return int(self._lib.snd_pcm_drop(self.handle))

    def resume(self) -> int:
        """Continue after a suspend."""
        return int(self._lib.snd_pcm_resume(self.handle))

    def wait(self, limit_ms: int) -> int:
        """Wait for a block; return 1, 0 when there was none in time, or a negative error."""
        code: int = self._wait(self.handle, limit_ms)
        return code

    def delay_frames(self) -> int | None:
        """Return the frames between this moment and the connector, as the driver states them."""
        if self._lib.snd_pcm_delay(self.handle, self._delay) < 0:
            return None
        return int(self._delay[0])

    def transfer(self, at: int, count: int) -> int:
        """Read or write `count` frames from frame `at` of `frames` on.

        Return the number of frames done, or a negative error; -EAGAIN when there is no room.
        """
        code: int
        start = self._buffer
        if not at and self._parts is None:  # nearly always
            code = self._interleaved(self.handle, start, count)
            return code
        frames = self.frames
        assert frames is not None
        start = start + at * frames.frame_bytes
        if self._parts is None:
            code = self._interleaved(self.handle, start, count)
            return code
        for channel in range(self.channels):
            self._parts[channel] = start + channel * frames.channel_bytes
        code = self._by_channel(self.handle, self._parts, count)
        return code

    def link(self, other: "Pcm") -> bool:
        """Have both start and stop together; return whether they can."""
        code = int(self._lib.snd_pcm_link(self.handle, other.handle))
        return code >= 0 or code == -errno.EALREADY

    @property
    def description(self) -> str:
        """Format, channels, period and buffer, for people."""
        return (
            f"{self.format.name}, {self.channels} channels, period {self.period_frames}, "
            f"buffer {self.buffer_frames} frames"
        )


def is_busy(error: AudioError) -> bool:
    """Return whether a PCM could not be opened because another process has it."""
    return isinstance(error, AlsaError) and error.code == -errno.EBUSY
