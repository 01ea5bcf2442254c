"""Writes the output to a WAV file, on a thread of its own."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.common.wav_writer import SAMPLE_BYTES, WavWriter

_READ_BYTES = 1 << 16
_UPDATE_S = 1.0
"""[s] Between two updates of the file's header: as much is lost by a power cut."""

log = structlog.get_logger("nemod")


class Recorder:
    """Records 32-bit float, mono or stereo, from the first frame that a rig played.

    A file beyond 4 GiB (six hours of mono at 48 kHz) becomes RF64, which most audio programs read.

    An error while it writes, as a full disk, ends the file, not the sound: the error is logged
    once, the file is closed with what fitted, and the frames that follow are counted and dropped,
    so that `seconds` still ends the daemon.
    """

    def __init__(self, path: Path, seconds: float | None = None) -> None:
        """`seconds` is how much to record; None is until `close`.

        Raises: AudioError when the file cannot be written.
        """
        self.path = path
        self.frames = 0
        """Frames in the file so far."""
        self.failure = ""
        """Why the recording ended too soon, or nothing."""
        self.is_paused = False
        """Whether what comes is dropped, as it has another sample rate than the file."""
        self._seconds = seconds
        self._thread: threading.Thread | None = None
        self._fd = -1
        if path.suffix.lower() != ".wav":
            raise AudioError(f"{path}: a recording is a WAV file; the name must end in .wav")
        try:
            # Found out now, not after the first song.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()
        except OSError as error:
            raise AudioError(f"{path}: cannot be written: {error.strerror}") from None

    def start(
        self, recording_fd: int, rate_hz: int, on_full: Callable[[], None], channels: int = 1
    ) -> None:
        """Begin to write the samples that are read from `recording_fd`, frame by frame.

        `on_full` is called on the writer's thread when `seconds` have been read, or the pipe ends.
        """
        self._fd = recording_fd
        self._thread = threading.Thread(
            target=self._run, args=(rate_hz, channels, on_full), name="nemod recorder", daemon=True
        )
        self._thread.start()

    def _run(self, rate_hz: int, channels: int, on_full: Callable[[], None]) -> None:
        try:
            self._record(rate_hz, channels)
        except Exception as error:
            self._fail(str(error) or type(error).__name__)
        finally:
            # The pipe is read no longer; the audio process drops what does not fit in it.
            on_full()

    def _record(self, rate_hz: int, channels: int) -> None:
        wanted = None if self._seconds is None else round(self._seconds * rate_hz)
        file = _RecordedFile(self.path, rate_hz, channels)
        frame_bytes = SAMPLE_BYTES * channels
        read = 0
        part = b""
        try:
            while wanted is None or read < wanted:
                data = os.read(self._fd, _READ_BYTES)
                if not data:
                    break
                if self.is_paused:
                    continue
                data = part + data
                whole = len(data) - len(data) % frame_bytes
                part = data[whole:]
                samples = np.frombuffer(data[:whole], np.float32).reshape(-1, channels)
                if wanted is not None:
                    samples = samples[: wanted - read]
                read += len(samples)
                file.write(samples)
                self.frames = file.frames
                if file.failure and not self.failure:
                    self._fail(file.failure)
        finally:
            file.close()
            self.frames = file.frames
            if file.failure and not self.failure:
                self._fail(file.failure)

    def _fail(self, reason: str) -> None:
        self.failure = reason
        log.error("recording incomplete", file=str(self.path), frames=self.frames, reason=reason)

    def close(self) -> None:
        """Finish the file; the audio process must have ended, which ends the pipe."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        elif self.frames == 0:
            with suppress(OSError):
                if self.path.stat().st_size == 0:
                    self.path.unlink()  # made by the check of __init__; nothing was played
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _RecordedFile:
    """A file that closes itself at the first error and drops everything after it."""

    def __init__(self, path: Path, rate_hz: int, channels: int) -> None:
        self.failure = ""
        self.frames = 0
        self._writer: WavWriter | None = None
        self._update_frames = round(_UPDATE_S * rate_hz)
        self._next_update = self._update_frames
        try:
            self._writer = WavWriter(path, rate_hz, channels)
        except OSError as error:
            self.failure = error.strerror or str(error)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append samples [frames, channels], unless the file has failed."""
        if self._writer is None:
            return
        try:
            self._writer.write(samples)
            if self._writer.frames >= self._next_update:
                self._next_update = self._writer.frames + self._update_frames
                self._writer.update_header()
                if self._writer.is_removed:
                    # Linux writes on into a file without a name, which is gone in the end.
                    self.failure = "the file was removed"
        except OSError as error:
            self.failure = error.strerror or str(error)
        if self.failure:
            self.close()
        else:
            self.frames = self._writer.frames

    def close(self) -> None:
        """State the sizes in the header and close, once."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            if writer.is_removed:
                self.failure = self.failure or "the file was removed"
            writer.close()
        except OSError as error:
            self.failure = self.failure or error.strerror or str(error)
        self.frames = writer.frames
