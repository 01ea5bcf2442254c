"""The recorder: a pipe of samples, a file, and the faults of a disk."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.common.wav_writer import HEADER_BYTES, WavWriter
from nemod.daemon import recorder
from nemod.daemon.recorder import Recorder
from tests.parts.disk import small_files

RATE_HZ = 48_000
SOUND = np.random.default_rng(6).uniform(-1.0, 1.0, 3 * RATE_HZ).astype(np.float32)


class Tape:
    """A recorder that reads a pipe, and what it logs."""

    def __init__(self, path: Path, seconds: float | None, channels: int = 1) -> None:
        self.recorder = Recorder(path, seconds)
        self.full = threading.Event()
        read, self._write = os.pipe()
        self.recorder.start(read, RATE_HZ, self.full.set, channels)

    def play(self, sound: NDArray[np.float32]) -> None:
        """Put samples on the tape, in pieces that do not end with whole samples."""
        data = sound.tobytes()
        for start in range(0, len(data), 4095):
            os.write(self._write, data[start : start + 4095])

    def end(self) -> None:
        """End the tape; wait for the recorder."""
        os.close(self._write)
        self.recorder.close()


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the recorder logs as errors."""
    lines: list[dict[str, Any]] = []

    class Log:
        def error(self, event: str, **values: Any) -> None:
            lines.append({"event": event, **values})

    monkeypatch.setattr(recorder, "log", Log())
    return lines


@pytest.fixture(autouse=True)
def _no_thread_dies(monkeypatch: pytest.MonkeyPatch) -> Any:
    """No thread may end with a traceback."""
    died: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    yield
    assert died == []


def read(path: Path) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = soundfile.read(path, dtype="float32")[0]
    return samples


def test_what_is_played_is_recorded(tmp_path: Path, errors: list[dict[str, Any]]) -> None:
    """To the bit, until the tape ends."""
    tape = Tape(tmp_path / "new" / "r.wav", None)
    tape.play(SOUND)
    tape.end()
    np.testing.assert_array_equal(read(tmp_path / "new" / "r.wav"), SOUND)
    assert soundfile.info(tmp_path / "new" / "r.wav").samplerate == RATE_HZ
    assert (tape.recorder.frames, tape.recorder.failure, errors) == (SOUND.size, "", [])


def test_two_outputs_are_two_channels(tmp_path: Path) -> None:
    """The length is in frames of both, and pieces that end within a frame lose nothing."""
    both = np.stack([SOUND[:RATE_HZ], -SOUND[:RATE_HZ]], axis=1)
    tape = Tape(tmp_path / "r.wav", 0.5, channels=2)
    tape.play(both[: RATE_HZ // 2 + 5])
    assert tape.full.wait(10.0)
    tape.end()
    np.testing.assert_array_equal(read(tmp_path / "r.wav"), both[: RATE_HZ // 2])
    assert tape.recorder.frames == RATE_HZ // 2


def test_a_length_in_seconds_ends_the_recording(tmp_path: Path) -> None:
    """To the frame, and the end is reported while the tape goes on."""
    tape = Tape(tmp_path / "r.wav", 0.5)
    tape.play(SOUND[: RATE_HZ // 2 + 5])
    assert tape.full.wait(10.0)
    tape.end()
    np.testing.assert_array_equal(read(tmp_path / "r.wav"), SOUND[: RATE_HZ // 2])


def test_a_copy_taken_meanwhile_is_a_whole_file(tmp_path: Path) -> None:
    """As a power cut would leave it: at most the last second is missing."""
    tape = Tape(tmp_path / "r.wav", None)
    tape.play(SOUND[: 2 * RATE_HZ])
    until(lambda: tape.recorder.frames == 2 * RATE_HZ)
    samples = read(tmp_path / "r.wav")
    assert RATE_HZ <= samples.size <= 2 * RATE_HZ
    np.testing.assert_array_equal(samples, SOUND[: samples.size])
    tape.end()


def until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10.0
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_full_disk_ends_the_file_and_not_the_time(
    tmp_path: Path, errors: list[dict[str, Any]]
) -> None:
    """One error; the file has what fits; the end comes when the time is over."""
    path = tmp_path / "r.wav"
    tape = Tape(path, 2.0)
    with small_files(100_001):
        tape.play(SOUND[:RATE_HZ])
        assert not tape.full.wait(0.2)
        tape.play(SOUND[RATE_HZ : 2 * RATE_HZ])
        assert tape.full.wait(10.0)
        tape.end()
    fitted = (100_001 - HEADER_BYTES) // 4
    assert errors == [
        {
            "event": "recording incomplete",
            "file": str(path),
            "frames": fitted,
            "reason": os.strerror(errno.EFBIG),
        }
    ]
    np.testing.assert_array_equal(read(path), SOUND[:fitted])
    assert path.stat().st_size == HEADER_BYTES + 4 * fitted
    assert (tape.recorder.frames, tape.recorder.failure) == (fitted, os.strerror(errno.EFBIG))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is missing")
def test_a_disk_that_is_full_from_the_start(tmp_path: Path, errors: list[dict[str, Any]]) -> None:
    """Not even the header fits; the time is kept all the same."""
    (tmp_path / "r.wav").symlink_to("/dev/full")
    tape = Tape(tmp_path / "r.wav", 1.0)
    tape.play(SOUND[:RATE_HZ])
    assert tape.full.wait(10.0)
    tape.end()
    assert [line["reason"] for line in errors] == [os.strerror(errno.ENOSPC)]
    assert tape.recorder.frames == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.ESTALE])
@pytest.mark.parametrize("name", ["write", "update_header", "close"])
def test_every_error_of_the_disk_is_one_line(
    tmp_path: Path,
    errors: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    name: str,
) -> None:
    """Wherever it comes: a stick that is pulled out, a file system that turns read-only."""

    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(WavWriter, name, fail)
    tape = Tape(tmp_path / "r.wav", 2.0)
    tape.play(SOUND[: 2 * RATE_HZ])
    assert tape.full.wait(10.0)
    tape.end()
    assert [line["reason"] for line in errors] == [os.strerror(number)]
    assert tape.recorder.failure == os.strerror(number)


def test_a_file_that_is_removed_is_reported(tmp_path: Path, errors: list[dict[str, Any]]) -> None:
    """Linux would write on into a file without a name."""
    tape = Tape(tmp_path / "r.wav", 3.0)
    tape.play(SOUND[:100])
    until(lambda: tape.recorder.frames == 100)
    (tmp_path / "r.wav").unlink()
    tape.play(SOUND[100:])
    assert tape.full.wait(10.0)
    tape.end()
    assert [line["reason"] for line in errors] == ["the file was removed"]


def test_a_file_that_is_renamed_is_recorded_on(
    tmp_path: Path, errors: list[dict[str, Any]]
) -> None:
    """It is the same file, by another name."""
    tape = Tape(tmp_path / "r.wav", None)
    tape.play(SOUND[:100])
    until(lambda: tape.recorder.frames == 100)
    (tmp_path / "r.wav").rename(tmp_path / "best.wav")
    tape.play(SOUND[100:])
    tape.end()
    np.testing.assert_array_equal(read(tmp_path / "best.wav"), SOUND)
    assert errors == []


def test_a_folder_that_is_gone_when_the_device_opens(
    tmp_path: Path, errors: list[dict[str, Any]]
) -> None:
    """The file cannot be made: one error."""
    path = tmp_path / "stick" / "r.wav"
    made = Recorder(path, 0.001)
    path.unlink()
    path.parent.rmdir()
    full = threading.Event()
    read_fd, write_fd = os.pipe()
    made.start(read_fd, RATE_HZ, full.set)
    os.write(write_fd, SOUND[:48].tobytes())
    assert full.wait(10.0)
    os.close(write_fd)
    made.close()
    assert [line["reason"] for line in errors] == [os.strerror(errno.ENOENT)]


def test_what_has_another_rate_is_dropped(tmp_path: Path) -> None:
    """The file keeps what it has."""
    tape = Tape(tmp_path / "r.wav", None)
    tape.play(SOUND[:4095])
    until(lambda: tape.recorder.frames == 4095)
    tape.recorder.is_paused = True
    tape.play(SOUND[:4095])
    tape.end()
    np.testing.assert_array_equal(read(tmp_path / "r.wav"), SOUND[:4095])


def test_a_recording_that_never_began_leaves_no_file(tmp_path: Path) -> None:
    """A former recording stays."""
    Recorder(tmp_path / "r.wav").close()
    assert not (tmp_path / "r.wav").exists()
    (tmp_path / "r.wav").write_bytes(b"former")
    Recorder(tmp_path / "r.wav").close()
    assert (tmp_path / "r.wav").read_bytes() == b"former"


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """As is a name that is not a WAV file's."""
    (tmp_path / "file").write_text("")
    for path, text in (
        (tmp_path / "r.mp3", "the name must end in .wav"),
        (tmp_path / "file" / "r.wav", "cannot be written: "),
        (tmp_path / "folder.wav", "cannot be written: Is a directory"),
    ):
        if path.name == "folder.wav":
            path.mkdir()
        with pytest.raises(AudioError, match=text):
            Recorder(path)
