"""Reading and writing sound files, against libsndfile and the wave module."""

import io
import os
import struct
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod.common import wav_repair
from nemod.common.errors import AudioError
from nemod.common.sound_files import check_output, read_sound, write_sound
from tests.parts.disk import small_files

RATE_HZ = 44_100
FRAMES = 1001
INTEGERS = np.random.default_rng(4).integers(-32768, 32767, (FRAMES, 2), np.int16)
FLOATS = (INTEGERS / 32768.0).astype(np.float32)
"""What 16 bits mean, +-1.0 full scale."""


def chunk(name: bytes, body: bytes, stated: int | None = None, order: str = "<") -> bytes:
    size = len(body) if stated is None else stated
    return name + struct.pack(f"{order}I", size) + body


def pcm(channels: int = 1, *, extensible: bool = False, order: str = "<") -> bytes:
    """Return the format chunk of 16-bit PCM."""
    frame = 2 * channels
    tag = 0xFFFE if extensible else 1
    body = struct.pack(f"{order}HHIIHH", tag, channels, RATE_HZ, frame * RATE_HZ, frame, 16)
    if extensible:
        guid = bytes.fromhex("0100000000001000800000aa00389b71")
        body += struct.pack("<HHI", 22, 16, 0) + guid
    return chunk(b"fmt ", body, order=order)


def wav(
    stated: int,
    *,
    riff: int = 0,
    before: bytes | None = None,
    after: bytes = b"",
    data: bytes = INTEGERS[:, 0].tobytes(),
    form: bytes = b"RIFF",
    order: str = "<",
) -> bytes:
    """Return a WAV file whose samples are said to be `stated` bytes."""
    head = form + struct.pack(f"{order}I", riff) + b"WAVE"
    fmt = pcm(order=order) if before is None else before
    return head + fmt + chunk(b"data", data, stated, order) + after


def ds64(data_bytes: int) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", 0, data_bytes, 0, 0))


STEREO = INTEGERS.tobytes()
LIST = chunk(b"LIST", b"INFOISFT\x06\0\0\0nemod\0")
WRONG_SIZES: dict[str, bytes] = {
    "nothing stated": wav(0),
    "a stream of ffmpeg": wav(0xFFFFFFFF, riff=0xFFFFFFFF, before=pcm() + LIST),
    "a stream of SoX": wav(0x7FFFFFFF - 36, riff=0x7FFFFFFF),
    "a copy that was cut off": wav(5000, riff=5036),
    "half a frame at the end": wav(0, data=INTEGERS[:, 0].tobytes() + b"\x11"),
    "extensible": wav(0, before=pcm(extensible=True)),
    "RF64 without a size": wav(0xFFFFFFFF, form=b"RF64", before=ds64(0) + pcm()),
    "RF64 with too large a size": wav(0xFFFFFFFF, form=b"RF64", before=ds64(1 << 40) + pcm()),
    "RF64 without its chunk": wav(0xFFFFFFFF, form=b"RF64"),
    "big-endian": wav(
        0,
        form=b"RIFX",
        order=">",
        before=pcm(order=">"),
        data=INTEGERS[:, 0].astype(">i2").tobytes(),
    ),
}


@pytest.mark.parametrize("content", WRONG_SIZES.values(), ids=WRONG_SIZES)
def test_a_wav_of_a_wrong_size_is_read_to_its_end(tmp_path: Path, content: bytes) -> None:
    """Every sample is that of the file, and a note says what the header states."""
    path = tmp_path / "cut.wav"
    path.write_bytes(content)
    sound = read_sound(path)
    np.testing.assert_array_equal(sound.samples, FLOATS[:, 0])
    assert (sound.rate_hz, sound.channels) == (RATE_HZ, 1)
    assert str(FRAMES) in sound.note


def test_a_file_beyond_4_gib_is_repaired_as_rf64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which libsndfile reads; the limit is lowered for the test."""
    monkeypatch.setattr(wav_repair, "MAX_RIFF_BYTES", 1000)
    path = tmp_path / "long.wav"
    path.write_bytes(wav(0))
    np.testing.assert_array_equal(read_sound(path).samples, FLOATS[:, 0])


def test_a_size_of_0_before_other_chunks_is_an_empty_file(tmp_path: Path) -> None:
    """What follows is text, not sound."""
    for after in (b"", LIST, LIST + chunk(b"id3 ", b"abc") + b"\0"):
        path = tmp_path / "empty.wav"
        path.write_bytes(wav(0, data=b"", after=after))
        with pytest.raises(AudioError, match=r"empty\.wav: holds no samples"):
            read_sound(path)


def test_a_right_size_before_other_chunks_is_left_alone(tmp_path: Path) -> None:
    """Text after the samples is not read as sound."""
    path = tmp_path / "tagged.wav"
    path.write_bytes(wav(2 * FRAMES, riff=2 * FRAMES + 36 + len(LIST), after=LIST))
    sound = read_sound(path)
    np.testing.assert_array_equal(sound.samples, FLOATS[:, 0])
    assert sound.note == ""


def encoded(container: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, INTEGERS, RATE_HZ, format=container, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAVEX", "PCM_24"),
        ("RF64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("AU", "PCM_16"),
        ("CAF", "PCM_16"),
        ("W64", "PCM_16"),
    ],
)
def test_every_channel_of_every_format(tmp_path: Path, container: str, subtype: str) -> None:
    """From a file and from a pipe, whatever its name ends in."""
    content = encoded(container, subtype)
    path = tmp_path / "take.raw"
    path.write_bytes(content)
    for channel in (1, 2):
        for source in (path, fifo(tmp_path / f"pipe{channel}", content)):
            sound = read_sound(source, channel=channel)
            np.testing.assert_array_equal(sound.samples, FLOATS[:, channel - 1])
            assert (sound.rate_hz, sound.channels, sound.note) == (RATE_HZ, 2, "")


def fifo(path: Path, content: bytes) -> Path:
    """Return a named pipe into which a thread writes `content` once."""
    os.mkfifo(path)
    threading.Thread(target=lambda: path.write_bytes(content), daemon=True).start()
    return path


def test_a_stream_is_read_from_a_pipe_without_a_note(tmp_path: Path) -> None:
    """A stream cannot state its size; that is no news."""
    sound = read_sound(fifo(tmp_path / "pipe", WRONG_SIZES["a stream of ffmpeg"]))
    np.testing.assert_array_equal(sound.samples, FLOATS[:, 0])
    assert sound.note == ""


def test_a_flac_stream_that_states_no_length(tmp_path: Path) -> None:
    """Its 36 bits of total samples are 0 where it was written to a pipe."""
    content = bytearray(encoded("FLAC", "PCM_16"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path = tmp_path / "stream.flac"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_sound(path, channel=2).samples, FLOATS[:, 1])


def test_standard_input_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name `-`."""

    class Stdin:
        buffer = io.BytesIO(WRONG_SIZES["nothing stated"])

    monkeypatch.setattr("sys.stdin", Stdin)
    np.testing.assert_array_equal(read_sound(Path("-")).samples, FLOATS[:, 0])


def floats(*values: float, channels: int = 1) -> bytes:
    file = io.BytesIO()
    samples = np.array(values).reshape(-1, channels)
    soundfile.write(file, samples, RATE_HZ, format="WAV", subtype="DOUBLE")
    return file.getvalue()


REFUSED: dict[str, tuple[bytes, str]] = {
    "NaN": (floats(0.0, 0.5, np.nan), "frame 2 of channel 1 is nan"),
    "infinity": (floats(-np.inf, 0.5), "frame 0 of channel 1 is -inf"),
    "beyond 32 bits": (floats(0.0, 1e300), "frame 1 of channel 1 is inf"),
    "no byte": (b"", "is empty; a sound file is expected"),
    "noise": (b"RIFFno", "cannot be read as sound: "),
    "text": (b"{}" * 500, "cannot be read as sound: "),
    "a header that is cut off": (wav(0)[:40], "cannot be read as sound: "),
    "no samples in WAV": (wav(0, data=b""), "holds no samples"),
    "all samples lost": (wav(5000, data=b""), "holds no samples"),
    "no samples in FLAC": (encoded("FLAC", "PCM_16")[:42], "holds no samples"),
}


@pytest.mark.parametrize(("content", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_sound_is_refused_by_name(tmp_path: Path, content: bytes, text: str) -> None:
    """With the file, and the first sample that is wrong."""
    path = tmp_path / "take.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        read_sound(path)
    assert str(caught.value).startswith(f"{path}: {text}")


def test_only_the_channel_that_is_read_is_judged(tmp_path: Path) -> None:
    """A NaN elsewhere does not matter; in this one it is named with its channel."""
    path = tmp_path / "two.wav"
    path.write_bytes(floats(0.1, 0.0, 0.2, np.nan, channels=2))
    np.testing.assert_array_equal(read_sound(path).samples, np.float32([0.1, 0.2]))
    with pytest.raises(AudioError, match=r"two\.wav: frame 1 of channel 2 is nan"):
        read_sound(path, channel=2)


def test_a_channel_that_is_not_there_says_how_many_there_are(tmp_path: Path) -> None:
    """In numbers."""
    path = tmp_path / "two.wav"
    path.write_bytes(floats(0.1, 0.2, channels=2))
    with pytest.raises(AudioError, match=r"two\.wav: has no channel 3: it has 2 channels"):
        read_sound(path, channel=3)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a missing file, a device."""
    for path, text in (
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "none.wav", "cannot be read: No such file or directory"),
        (Path("/dev/zero"), "is a device; a sound file or a pipe is expected"),
    ):
        with pytest.raises(AudioError) as caught:
            read_sound(path)
        assert str(caught.value) == f"{path}: {text}"


def test_pcm_of_the_wave_module_is_read(tmp_path: Path) -> None:
    """Python's own writer is another program."""
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(STEREO)
    np.testing.assert_array_equal(read_sound(path, channel=2).samples, FLOATS[:, 1])


# --- writing ---

LOUD = np.array([0.0, 0.5, -0.25, 1.5, -1.5], np.float32)


@pytest.mark.parametrize(
    ("name", "container", "subtype", "clipped"),
    [
        ("a.wav", "WAV", "FLOAT", 0),
        ("a.WAV", "WAV", "FLOAT", 0),
        ("a.flac", "FLAC", "PCM_24", 2),
        ("a.aiff", "AIFF", "PCM_24", 2),
        ("a.AIF", "AIFF", "PCM_24", 2),
    ],
)
def test_the_end_of_the_name_sets_the_format(
    tmp_path: Path, name: str, container: str, subtype: str, clipped: int
) -> None:
    """Integers cannot go beyond full scale; how many samples do is returned."""
    path = tmp_path / name
    assert write_sound(path, LOUD, RATE_HZ) == clipped
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.samplerate) == (container, subtype, RATE_HZ)
    expected = LOUD if container == "WAV" else np.clip(LOUD, -1.0, 1.0 - 2.0**-23)
    np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], expected)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff"])
def test_two_channels_are_left_and_right(tmp_path: Path, name: str) -> None:
    """Samples [frames, 2], as libsndfile has them."""
    both = np.stack([LOUD, -LOUD], axis=1) / 2
    assert write_sound(tmp_path / name, both, RATE_HZ) == 0
    np.testing.assert_array_equal(soundfile.read(tmp_path / name, dtype="float32")[0], both)


def test_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    """FLAC ends at 655,350 Hz; the former file stays as it was."""
    path = tmp_path / "a.flac"
    path.write_bytes(b"former")
    with pytest.raises(AudioError, match=r"24-bit FLAC cannot hold this sound \(700000 Hz\)"):
        write_sound(path, LOUD, 700_000)
    assert path.read_bytes() == b"former"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.flac"]


@pytest.mark.parametrize("name", ["full.wav", "full.flac"])
def test_a_full_disk_leaves_the_former_file(tmp_path: Path, name: str) -> None:
    """And no draft."""
    path = tmp_path / name
    path.write_bytes(b"former")
    noise = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    with small_files(1000), pytest.raises(AudioError, match="cannot be written: File too large"):
        write_sound(path, noise, 48_000)
    assert path.read_bytes() == b"former"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    """With the permissions that it had; a hard link of the former file keeps the former sound."""
    there, other, link = (tmp_path / name for name in ("there.wav", "other.wav", "link.wav"))
    there.write_bytes(b"former")
    there.chmod(0o640)
    os.link(there, other)
    link.symlink_to("there.wav")
    write_sound(link, LOUD, RATE_HZ)
    assert link.is_symlink()
    np.testing.assert_array_equal(soundfile.read(there, dtype="float32")[0], LOUD)
    assert there.stat().st_mode & 0o777 == 0o640
    assert other.read_bytes() == b"former"


def test_an_output_that_is_a_file_that_is_read(tmp_path: Path) -> None:
    """By another name, a hard link, symbolic links, a link to its folder."""
    source = tmp_path / "in.wav"
    source.write_bytes(b"sound")
    (tmp_path / "hard.wav").hardlink_to(source)
    (tmp_path / "soft.wav").symlink_to(source)
    (tmp_path / "softer.wav").symlink_to("soft.wav")
    (tmp_path / "folder").symlink_to(tmp_path)
    for name in ("in.wav", "hard.wav", "soft.wav", "softer.wav", "folder/hard.wav"):
        with pytest.raises(AudioError, match=f"{name}: is the recording itself"):
            check_output(tmp_path / name, {"the recording": source})
    check_output(tmp_path / "out.wav", {"the recording": source})


def test_a_spelling_that_the_file_system_takes_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without case gives the same file for both; here its `stat` is played."""
    source = tmp_path / "in.wav"
    source.write_bytes(b"sound")
    real = Path.stat

    def stat(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        path = self.with_name(self.name.lower())
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(AudioError, match=r"IN\.wav: is the recording itself"):
        check_output(tmp_path / "IN.wav", {"the recording": source})


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder, a pipe, a missing folder, an unknown format."""
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, text in (
        ("folder.wav", "is a folder"),
        ("pipe.wav", "is no ordinary file"),
        ("none/out.wav", f"there is no folder {tmp_path / 'none'}"),
        ("out.mp3", "the name must end in one of .wav (32-bit float WAV), .flac (24-bit FLAC)"),
        ("out", "the name must end in one of .wav"),
    ):
        with pytest.raises(AudioError) as caught:
            check_output(tmp_path / name, {})
        assert text in str(caught.value)
