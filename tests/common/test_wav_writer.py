"""The writer of WAV files, against libsndfile."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from nemod.common import wav_writer
from nemod.common.sound_files import write_sound
from nemod.common.wav_writer import HEADER_BYTES, WavWriter, wav_header
from tests.parts.disk import small_files

RATE_HZ = 44_100
LOUD = np.array([0.0, 0.5, -0.25, 1.5, -1.5], np.float32)


def read_back(path: Path) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = soundfile.read(path, dtype="float32")[0]
    return samples


def test_the_header_is_right_at_every_update(tmp_path: Path) -> None:
    """A copy made at any moment, as a power cut makes it, is a whole file."""
    path = tmp_path / "a.wav"
    writer = WavWriter(path, RATE_HZ)
    assert soundfile.info(path).frames == 0
    writer.write(LOUD)
    writer.update_header()
    np.testing.assert_array_equal(read_back(path), LOUD)
    assert path.stat().st_size == HEADER_BYTES + 4 * LOUD.size
    writer.write(LOUD)
    writer.close()
    np.testing.assert_array_equal(read_back(path), np.tile(LOUD, 2))
    riff, data = struct.unpack_from("<I", path.read_bytes(), 4)[0], HEADER_BYTES + 40
    assert riff == data - 8


def test_two_channels_end_with_a_whole_frame(tmp_path: Path) -> None:
    """Where the disk is full between left and right, the left sample is cut off."""
    path = tmp_path / "a.wav"
    writer = WavWriter(path, RATE_HZ, 2)
    samples = np.arange(3000, dtype=np.float32).reshape(-1, 2) / 3000
    fitted = (5004 - HEADER_BYTES) // 8
    assert (5004 - HEADER_BYTES) % 8 == 6
    with small_files(5004):
        with pytest.raises(OSError, match="File too large"):
            writer.write(samples)
        writer.close()
    assert writer.frames == fitted
    np.testing.assert_array_equal(read_back(path), samples[:fitted])
    assert path.stat().st_size == HEADER_BYTES + 8 * fitted


def test_a_long_file_becomes_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its place; the limit is lowered for the test, and libsndfile reads the file."""
    monkeypatch.setattr(wav_writer, "MAX_RIFF_BYTES", 100)
    write_sound(tmp_path / "a.wav", LOUD, RATE_HZ)
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    np.testing.assert_array_equal(read_back(tmp_path / "a.wav"), LOUD)


@pytest.mark.parametrize(("frames", "form"), [(1_073_741_802, b"RIFF"), (1_073_741_803, b"RF64")])
def test_rf64_begins_where_32_bits_end(frames: int, form: bytes) -> None:
    """4 * frames and the header's 86 bytes are at most 2^32 - 1."""
    assert (4 * frames + HEADER_BYTES - 8 < 2**32) == (form == b"RIFF")
    header = wav_header(48_000, frames)
    assert (header[:4], len(header)) == (form, HEADER_BYTES)


def test_what_fits_on_a_full_disk_is_a_valid_file(tmp_path: Path) -> None:
    """5,001 bytes hold the header and 1,226 whole samples."""
    path = tmp_path / "a.wav"
    writer = WavWriter(path, RATE_HZ)
    samples = np.arange(3000, dtype=np.float32) / 3000
    with small_files(5001):
        with pytest.raises(OSError, match="File too large"):
            writer.write(samples)
        writer.close()
    fitted = (5001 - HEADER_BYTES) // 4
    assert writer.frames == fitted
    np.testing.assert_array_equal(read_back(path), samples[:fitted])
    assert path.stat().st_size == HEADER_BYTES + 4 * fitted
