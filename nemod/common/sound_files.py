"""Reads and writes sound files. WAV, AIFF, FLAC, Ogg and MP3 are read by libsndfile."""

import io
import math
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.common.files import replacing
from nemod.common.wav_repair import needs_repair, read_header, repaired
from nemod.common.wav_writer import WavWriter

STDIN = Path("-")
"""The name of standard input."""
_READ_FRAMES = 1 << 16
_MAX_AIFF_BYTES = 0xFFFF0000
_FULL_SCALE = 1 << 23
"""+-1.0 as 24-bit integers."""
_UNSTATED_FRAMES = 1 << 62
"""libsndfile gives more than this for a FLAC stream that states no length."""


class Format(NamedTuple):
    """How samples are written."""

    container: str
    subtype: str
    """As libsndfile calls it."""
    text: str


_AIFF = Format("AIFF", "PCM_24", "24-bit AIFF")
FORMATS: Mapping[str, Format] = {
    ".wav": Format("WAV", "FLOAT", "32-bit float WAV"),
    ".flac": Format("FLAC", "PCM_24", "24-bit FLAC"),
    ".aiff": _AIFF,
    ".aif": _AIFF,
}
"""By the end of a file's name, in small letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One channel of a file."""

    samples: NDArray[np.float32]
    """[frames] +-1.0 is full scale; all are finite, and there is at least one."""
    rate_hz: int
    channels: int
    """How many the file has."""
    note: str
    """What the header stated wrongly, as a sentence; usually nothing."""


def read_sound(path: Path, *, channel: int = 1, longest_s: float = math.inf) -> Sound:
    """Return one channel of a sound file, of a pipe, or of standard input (`-`).

    `channel` counts from 1. What cannot be searched, as a pipe, is read whole first. A WAV file
    that states no size or more than it has is read to its end. No more than `longest_s` [s] is
    read of a file; a longer one is refused.

    Raises: AudioError that names the file, for what cannot be read, has no samples or not this
    channel, and for the first sample of the channel that is not finite.
    """
    try:
        with _opened(path) as file:
            return _read(path, file, channel, longest_s)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from None


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    """Return the file, or all bytes of what is no file. Raises: OSError, AudioError."""
    if path == STDIN:
        stdin = getattr(sys.stdin, "buffer", None)
        if stdin is None:
            raise AudioError("-: standard input is closed")
        return nullcontext(io.BytesIO(stdin.read()))
    file = path.open("rb")
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    with file:
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise AudioError(f"{path}: is a device; a sound file or a pipe is expected")
        return nullcontext(io.BytesIO(file.read()))


def _read(path: Path, file: BinaryIO, channel: int, longest_s: float) -> Sound:
    is_pipe = isinstance(file, io.BytesIO)
    note = ""
    header = read_header(file)
    if header is not None and needs_repair(file, header):
        whole, frames = repaired(file, header)
        if not header.is_stream:
            stated = header.stated_bytes // header.frame_bytes
            note = f"the header states {stated} frames, the file has {frames}: these are read"
        elif not is_pipe:
            note = f"the header states no length: {frames} frames are read, up to the file's end"
        file = whole
    file.seek(0)
    try:
        # As bytes without a name: libsndfile must not judge by the name what the content is.
        with _InOrder(_Nameless(file)) as opened:
            rate_hz, channels, stated = opened.samplerate, opened.channels, opened.frames
            if not 1 <= channel <= channels:
                one = "channel" if channels == 1 else "channels"
                raise AudioError(f"{path}: has no channel {channel}: it has {channels} {one}")
            pieces = []
            count = 0
            while (piece := opened.read(_READ_FRAMES, np.float32, always_2d=True)).shape[0]:
                count += piece.shape[0]
                if count > longest_s * rate_hz:
                    raise AudioError(f"{path}: is longer than {longest_s:g} s")
                pieces.append(np.ascontiguousarray(piece[:, channel - 1]))
    except soundfile.SoundFileError as error:
        if not file.seek(0, io.SEEK_END):
            raise AudioError(f"{path}: is empty; a sound file is expected") from None
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise AudioError(f"{path}: cannot be read as sound: {reason}") from None
    samples = np.concatenate([np.zeros(0, np.float32), *pieces])
    if not samples.size:
        raise AudioError(f"{path}: holds no samples")
    if not note and samples.size < stated < _UNSTATED_FRAMES:
        note = f"the header states {stated} frames, the file has {samples.size}: these are read"
    _check_finite(path, samples, channel)
    return Sound(samples=samples, rate_hz=rate_hz, channels=channels, note=note)


class _InOrder(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from its start to its end without searching.

    After each read the base class searches, which fails in a FLAC stream that states no length.
    """

    def seekable(self) -> bool:
        """Return False: the base class asks this before it searches."""
        return False


class _Nameless:
    """A binary file without the attribute `name`."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.readinto = getattr(file, "readinto", None)
        self.seek = file.seek
        self.tell = file.tell


def _check_finite(path: Path, samples: NDArray[np.float32], channel: int) -> None:
    finite = np.isfinite(samples)
    if not finite.all():
        frame = int(np.argmin(finite))
        raise AudioError(
            f"{path}: frame {frame} of channel {channel} is {samples[frame]}; "
            "finite samples are expected"
        )


def format_of(path: Path) -> Format:
    """Return how a file of this name is written.

    Raises: AudioError that lists the endings that are allowed.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        allowed = ", ".join(f"{suffix} ({made.text})" for suffix, made in FORMATS.items())
        raise AudioError(f"{path}: the name must end in one of {allowed}") from None


def check_output(path: Path, sources: Mapping[str, Path]) -> None:
    """Refuse an output that cannot be written, or that is one of the files that are read.

    `sources`: what is read, by what it is to the user. Files are compared, not their names: a
    hard link, a symbolic link or another spelling on a file system without case is the same file.

    Raises: AudioError.
    """
    format_of(path)
    target = _target(path)
    if not target.parent.is_dir():
        raise AudioError(f"{path}: there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise AudioError(f"{path}: no file can be made in the folder {target.parent}")
    try:
        there = target.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {error.strerror}") from None
    for what, source in sources.items():
        if _is_same(there, source):
            raise AudioError(f"{path}: is {what} itself ({source}); name another file")
    if not stat.S_ISREG(there.st_mode):
        kind = "a folder" if stat.S_ISDIR(there.st_mode) else "no ordinary file"
        raise AudioError(f"{path}: is {kind}; name another file")
    if not os.access(target, os.W_OK):
        raise AudioError(f"{path}: cannot be written: it is read-only")


def _is_same(there: os.stat_result, source: Path) -> bool:
    try:
        other = os.fstat(sys.stdin.fileno()) if source == STDIN else source.stat()
    except (OSError, ValueError, AttributeError):
        return False
    return os.path.samestat(there, other)


def _target(path: Path) -> Path:
    """Return the file that a name stands for: a symbolic link stays, and its file is replaced."""
    return Path(os.path.realpath(path))


def write_sound(path: Path, samples: NDArray[np.float32], rate_hz: int) -> int:
    """Write samples [frames] or [frames, channels] in the format of the file's name, whole or not.

    The samples go to a draft in the same folder that then takes the name, so an error leaves a
    former file as it was. A symbolic link stays a link, and the file that it points to is
    replaced; another hard link of a former file keeps the former sound.

    Returns: how many samples beyond full scale were clipped, as integers have to be; none in WAV.
    Raises: AudioError.
    """
    made = format_of(path)
    target = _target(path)
    clipped = 0
    try:
        former_mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        with replacing(target, mode=former_mode) as draft:
            if made.container == "WAV":
                channels = 1 if samples.ndim == 1 else samples.shape[1]
                writer = WavWriter(draft, rate_hz, channels)
                try:
                    writer.write(samples)
                finally:
                    writer.close()
            else:
                draft.write_bytes(_encoded(path, samples, rate_hz, made))
                clipped = int(np.count_nonzero(np.abs(samples) > 1.0))
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {error.strerror or error}") from None
    return clipped


def _encoded(path: Path, samples: NDArray[np.float32], rate_hz: int, made: Format) -> bytes:
    """Return a file of 24-bit integers. Raises: AudioError.

    In memory first, because libsndfile does not report a full disk.
    """
    if made.container == "AIFF" and 3 * samples.size > _MAX_AIFF_BYTES:
        raise AudioError(f"{path}: is too long for AIFF; write a .wav or a .flac file")
    # libsndfile would round towards minus infinity.
    steps = np.rint(samples.astype(np.float64) * _FULL_SCALE)
    integers = np.clip(steps, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int32)
    file = io.BytesIO()
    try:
        soundfile.write(file, integers << 8, rate_hz, format=made.container, subtype=made.subtype)
    except (soundfile.SoundFileError, ValueError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise AudioError(
            f"{path}: {made.text} cannot hold this sound ({rate_hz} Hz): {reason}"
        ) from None
    return file.getvalue()
