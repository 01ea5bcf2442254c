"""Writes what is heard to a file: frames from the audio plane's tape, on a thread of its own."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from nemod.common.errors import AudioError

_READ_BYTES = 1 << 16


class Recorder:
    """Records mono 32-bit float, from the first frame that a rig played."""

    def __init__(self, path: Path, seconds: float | None = None) -> None:
        """`seconds` is how much to record; None is until `close`.

        Raises: AudioError when the file cannot be written.
        """
        self.path = path
        self.frames = 0
        """Frames written so far."""
        self.is_paused = False
        """Whether what comes is no longer written: it does not go with what has been."""
        self._seconds = seconds
        self._thread: threading.Thread | None = None
        self._fd = -1
        self._kind = sound_format(path)
        try:
            # Found out now, not after the first song.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()
        except OSError as error:
            raise AudioError(f"{path}: cannot be written: {error.strerror}") from None

    def start(self, tape_fd: int, rate_hz: int, on_full: Callable[[], None]) -> None:
        """Begin to write what comes out of the tape; `on_full` is called on the writer's thread."""
        self._fd = tape_fd
        self._thread = threading.Thread(
            target=self._write, args=(rate_hz, on_full), name="nemod recorder", daemon=True
        )
        self._thread.start()

    def _write(self, rate_hz: int, on_full: Callable[[], None]) -> None:
        wanted = None if self._seconds is None else round(self._seconds * rate_hz)
        with soundfile.SoundFile(
            self.path, "w", samplerate=rate_hz, channels=1, subtype=self._kind
        ) as file:
            left = b""
            while wanted is None or self.frames < wanted:
                data = os.read(self._fd, _READ_BYTES)
                if not data:
                    break
                if self.is_paused:
                    continue
                data = left + data
                whole = len(data) - len(data) % 4
                left = data[whole:]
                frames = np.frombuffer(data[:whole], np.float32)
                if wanted is not None:
                    frames = frames[: wanted - self.frames]
                file.write(frames)
                self.frames += frames.size
        # The tape goes on; what nobody reads is dropped by its writer, never waited for.
        on_full()

    def close(self) -> None:
        """Finish the file; the audio plane must have ended, which ends the tape."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        elif self.frames == 0 and self.path.exists() and self.path.stat().st_size == 0:
            self.path.unlink()  # made when it was tried; there was nothing to write
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def sound_format(path: Path) -> str:
    """Return the sample format for a file name.

    Raises: AudioError for a name that is not `.wav`.
    """
    if path.suffix.lower() != ".wav":
        raise AudioError(f"{path}: sound is written as 32-bit float WAV; the name must end in .wav")
    return "FLOAT"
