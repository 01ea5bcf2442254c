"""`nemod render`: a file through the rig."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod import load_model, render
from nemod.formats.save import save_model
from tests.cli.conftest import Nemod, Outcome
from tests.engine.conftest import tiny


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.wav"


def sound(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0]


def test_a_file_becomes_what_render_returns(
    nemod: Nemod, amp: Path, riff: Path, target: Path
) -> None:
    """Same rate, same length, 32-bit float, mono; nothing is printed."""
    assert nemod("render", riff, target, "--model", amp) == Outcome(0, "", "")
    told = soundfile.info(target)
    assert (told.samplerate, told.frames, told.channels) == (48_000, 1000, 1)
    assert (told.format, told.subtype) == ("WAV", "FLOAT")
    np.testing.assert_array_equal(sound(target), render(load_model(amp), sound(riff), 48_000))


def test_stereo_is_two_channels(nemod: Nemod, amp: Path, riff: Path, target: Path) -> None:
    """Left and right of `render`; the model alone has none."""
    wet = ("--set", "/nemo/reverb/mix=0.5")
    assert nemod("render", riff, target, "--model", amp, "--stereo", *wet).status == 0
    expected = render(load_model(amp), sound(riff), 48_000, outputs=2, settings={"reverb/mix": 0.5})
    np.testing.assert_array_equal(sound(target), expected)
    outcome = nemod("render", riff, target, "--model", amp, "--stereo", "--model-only")
    assert outcome.status == 2
    assert "--stereo with --model-only: a model has one output" in outcome.err
    np.testing.assert_array_equal(sound(target), expected)


def test_the_model_alone(nemod: Nemod, amp: Path, riff: Path, target: Path) -> None:
    """At any rate: the samples count as the model's."""
    assert nemod("render", riff, target, "--model", amp, "--model-only").status == 0
    expected = render(load_model(amp), sound(riff), 48_000, model_only=True)
    np.testing.assert_array_equal(sound(target), expected)
    slow = target.with_name("slow.wav")
    soundfile.write(slow, sound(riff), 22_050, subtype="FLOAT")
    assert nemod("render", slow, target, "--model", amp, "--model-only").err == ""
    np.testing.assert_array_equal(sound(target), expected)
    assert soundfile.info(target).samplerate == 22_050


def test_the_block_is_a_detail(nemod: Nemod, amp: Path, riff: Path, target: Path) -> None:
    """The sound is the same to 1e-6 for the model alone."""
    assert nemod("render", riff, target, "--model", amp, "--model-only", "--block", 512).status == 0
    expected = render(load_model(amp), sound(riff), 48_000, model_only=True)
    np.testing.assert_allclose(sound(target), expected, atol=1e-6)


@pytest.mark.parametrize("block", [0, -1, 65_537])
def test_a_block_out_of_range_is_refused(
    nemod: Nemod, amp: Path, riff: Path, target: Path, block: int
) -> None:
    """1 to 65,536."""
    outcome = nemod("render", riff, target, "--model", amp, f"--block={block}")
    assert outcome.status == 2
    assert f"block {block}: 1 to 65536 are allowed" in outcome.err


def test_an_input_that_is_not_there(nemod: Nemod, amp: Path, tmp_path: Path, target: Path) -> None:
    """Or is a folder, or no sound."""
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFFno")
    for path, reason in (
        (tmp_path / "none.wav", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
        (noise, "cannot be read as sound: "),
    ):
        outcome = nemod("render", path, target, "--model", amp)
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err.startswith(f"nemod: {path}: {reason}")


def test_an_output_that_cannot_be(nemod: Nemod, amp: Path, riff: Path, tmp_path: Path) -> None:
    """Found out before anything is rendered."""
    outcome = nemod("render", riff, tmp_path / "out.mp3", "--model", amp)
    assert outcome.status == 1
    assert "the name must end in one of .wav (32-bit float WAV), .flac (24-bit" in outcome.err
    outcome = nemod("render", riff, tmp_path / "none" / "out.wav", "--model", amp)
    assert outcome.status == 1
    assert f"there is no folder {tmp_path / 'none'}" in outcome.err


def test_a_model_is_found_by_name(nemod: Nemod, amp: Path, riff: Path, target: Path) -> None:
    """In any case, in the folders of the library; else the nearest name is offered."""
    library = ("--library", amp.parent)
    options = ("--model-only", *library)
    assert nemod("render", riff, target, "--model", "TINY-amp", *options).status == 0
    assert target.exists()
    outcome = nemod("render", riff, target, "--model", "tinyamp", *options)
    assert outcome.status == 1
    assert "no model is named 'tinyamp', did you mean 'tiny-amp'?" in outcome.err


def test_a_model_that_cannot_be_played(nemod: Nemod, riff: Path, target: Path) -> None:
    """The reader's own sentence."""
    outcome = nemod("render", riff, target, "--model", riff)
    assert outcome.status == 1
    assert outcome.err.startswith(f"nemod: {riff}: this is not JSON")


def test_another_rate_than_the_models_is_told(
    nemod: Nemod, amp: Path, riff: Path, tmp_path: Path, target: Path
) -> None:
    """It plays all the same, at the file's rate."""
    slow = tmp_path / "slow.wav"
    soundfile.write(slow, sound(riff), 44_100, subtype="FLOAT")
    outcome = nemod("render", slow, target, "--model", amp, "--set", "bypass=1")
    assert outcome.status == 0
    assert "was made for 48000 Hz and plays at 44100 Hz" in outcome.err
    assert soundfile.info(target).samplerate == 44_100
    np.testing.assert_array_equal(sound(target), sound(riff))


@pytest.fixture
def three(riff: Path, tmp_path: Path) -> Path:
    """A recording of three channels: the riff, its half, and its negative."""
    path = tmp_path / "three.wav"
    channels = np.stack([sound(riff), 0.5 * sound(riff), -sound(riff)], 1)
    soundfile.write(path, channels, 48_000, subtype="FLOAT")
    return path


def test_of_several_channels_the_first_is_played(
    nemod: Nemod, amp: Path, riff: Path, three: Path, target: Path
) -> None:
    """A note on standard error says so."""
    outcome = nemod("render", three, target, "--model", amp, "--model-only")
    assert outcome.status == 0
    assert "3 channels; the first is played (--channel N chooses another)" in outcome.err
    expected = render(load_model(amp), sound(riff), 48_000, model_only=True)
    np.testing.assert_array_equal(sound(target), expected)


@pytest.mark.parametrize(("channel", "factor"), [(1, 1.0), (2, 0.5), (3, -1.0)])
def test_a_channel_is_chosen(
    nemod: Nemod, amp: Path, riff: Path, three: Path, target: Path, channel: int, factor: float
) -> None:
    """By its number, without a note."""
    options = ("--model-only", "--channel", channel)
    assert nemod("render", three, target, "--model", amp, *options) == Outcome(0, "", "")
    expected = render(load_model(amp), factor * sound(riff), 48_000, model_only=True)
    np.testing.assert_array_equal(sound(target), expected)


@pytest.mark.parametrize(
    ("channel", "status", "text"),
    [
        ("4", 1, "three.wav: has no channel 4: it has 3 channels"),
        ("0", 2, "'0': a channel, counted from 1, is expected"),
        ("left", 2, "'left': a channel, counted from 1, is expected"),
    ],
)
def test_a_channel_that_is_not_there_is_refused(
    nemod: Nemod, amp: Path, three: Path, target: Path, channel: str, status: int, text: str
) -> None:
    """With how many there are."""
    outcome = nemod("render", three, target, "--model", amp, "--channel", channel)
    assert outcome.status == status
    assert text in outcome.err
    assert not target.exists()


def test_a_tail(nemod: Nemod, amp: Path, riff: Path, target: Path) -> None:
    """In seconds, or as long as the output is above -90 dBFS."""
    echo = ("--set", "delay/mix=0.5", "--set", "/nemo/real/delay/time=50")
    settings = {"delay/mix": 0.5, "delay/time": np.log(50.0) / np.log(2000.0)}
    for option, tail in (("0.5", 0.5), ("auto", "auto")):
        assert nemod("render", riff, target, "--model", amp, *echo, "--tail", option).status == 0
        expected = render(load_model(amp), sound(riff), 48_000, settings=settings, tail=tail)
        assert expected.size > 1000
        np.testing.assert_allclose(sound(target), expected, atol=1e-6)


@pytest.mark.parametrize("tail", ["-1", "nan", "inf", "long", "3601"])
def test_a_tail_that_is_no_length_is_refused(
    nemod: Nemod, amp: Path, riff: Path, target: Path, tail: str
) -> None:
    """With what is allowed."""
    outcome = nemod("render", riff, target, "--model", amp, f"--tail={tail}")
    assert outcome.status == 2
    assert f"{tail!r}: seconds from 0 to 3600, or auto, are expected" in outcome.err


@pytest.mark.parametrize(
    ("name", "container"), [("out.flac", "FLAC"), ("out.aiff", "AIFF"), ("out.WAV", "WAV")]
)
def test_the_end_of_the_name_sets_the_format(
    nemod: Nemod, amp: Path, riff: Path, tmp_path: Path, name: str, container: str
) -> None:
    """24 bits are exact to half a step of 2^-23."""
    target = tmp_path / name
    assert nemod("render", riff, target, "--model", amp, "--model-only") == Outcome(0, "", "")
    assert soundfile.info(target).format == container
    expected = render(load_model(amp), sound(riff), 48_000, model_only=True)
    np.testing.assert_allclose(sound(target), expected, rtol=0.0, atol=0.5 * 2.0**-23 + 1e-12)


def test_clipping_in_a_file_of_integers_is_reported(
    nemod: Nemod, amp: Path, riff: Path, tmp_path: Path
) -> None:
    """Ten samples of 2 become full scale, with a note; a .wav file would keep them."""
    loud, target = tmp_path / "loud.wav", tmp_path / "out.flac"
    samples = sound(riff)
    samples[100:110] = 2.0
    soundfile.write(loud, samples, 48_000, subtype="FLOAT")
    outcome = nemod("render", loud, target, "--model", amp, "--set", "bypass=1", "--model-only")
    expected = render(load_model(amp), samples, 48_000, model_only=True)
    count = np.count_nonzero(np.abs(expected) > 1.0)
    assert count >= 10
    assert f"{target}: {count} samples beyond full scale are clipped" in outcome.err


def test_a_recording_without_samples_is_refused(
    nemod: Nemod, amp: Path, tmp_path: Path, target: Path
) -> None:
    """Nothing is written."""
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0, np.float32), 48_000, subtype="FLOAT")
    outcome = nemod("render", empty, target, "--model", amp, "--model-only")
    assert outcome == Outcome(1, "", f"nemod: {empty}: holds no samples\n")
    assert not target.exists()


def test_a_recording_that_was_cut_off_is_rendered_whole(
    nemod: Nemod, amp: Path, tmp_path: Path, riff: Path, target: Path
) -> None:
    """Its header states no samples, as after a power cut."""
    cut = bytearray(riff.read_bytes())
    at = cut.index(b"data") + 4
    cut[at : at + 4] = bytes(4)
    path = tmp_path / "cut.wav"
    path.write_bytes(cut)
    outcome = nemod("render", path, target, "--model", amp, "--model-only")
    assert outcome.status == 0
    assert "the header states no length: 1000 frames are read" in outcome.err
    expected = render(load_model(amp), sound(riff), 48_000, model_only=True)
    np.testing.assert_array_equal(sound(target), expected)


def test_a_recording_from_a_pipe(nemod: Nemod, amp: Path, riff: Path, target: Path) -> None:
    """As bash's <(...) gives it: a descriptor below /dev/fd."""
    read, write = os.pipe()
    os.write(write, riff.read_bytes())
    os.close(write)
    try:
        outcome = nemod("render", f"/dev/fd/{read}", target, "--model", amp, "--model-only")
    finally:
        os.close(read)
    assert outcome == Outcome(0, "", "")
    expected = render(load_model(amp), sound(riff), 48_000, model_only=True)
    np.testing.assert_array_equal(sound(target), expected)


def test_a_fault_of_the_recording_is_the_recordings(
    nemod: Nemod, amp: Path, riff: Path, tmp_path: Path, target: Path
) -> None:
    """A NaN, or a rate that cannot be played, is no fault of the command line."""
    path = tmp_path / "bad.wav"
    broken = sound(riff)
    broken[777] = np.nan
    for samples, rate_hz, text in (
        (broken, 48_000, "frame 777 of channel 1 is nan; finite samples are expected"),
        (sound(riff), 4000, "its sample rate is 4000 Hz; 8000 to 768000 Hz can be played"),
        (sound(riff), 800_000, "its sample rate is 800000 Hz; 8000 to 768000 Hz can be played"),
    ):
        soundfile.write(path, samples, rate_hz, subtype="FLOAT")
        outcome = nemod("render", path, target, "--model", amp)
        assert outcome == Outcome(1, "", f"nemod: {path}: {text}\n")
        assert not target.exists()


def test_an_output_that_is_not_finite_is_an_error(
    nemod: Nemod, riff: Path, tmp_path: Path, target: Path
) -> None:
    """With the model and the frame; a former file stays, and no draft is left."""
    made = tiny()
    head = made.weights[1]
    loud = replace(made, weights=(made.weights[0], head._replace(w=np.full_like(head.w, 3e38))))
    save_model(loud, tmp_path / "loud.json")
    target.write_bytes(b"former")
    outcome = nemod("render", riff, target, "--model", tmp_path / "loud.json", "--model-only")
    assert outcome.status == 1
    assert "loud: the output is not finite at frame " in outcome.err
    assert target.read_bytes() == b"former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loud.json", "out.wav"]


def test_a_library_that_is_not_there_is_reported(
    nemod: Nemod, amp: Path, riff: Path, tmp_path: Path, target: Path
) -> None:
    """The model that is named by its file is played all the same."""
    folder = tmp_path / "none"
    outcome = nemod("render", riff, target, "--model", amp, "--library", folder)
    assert outcome.status == 0
    assert "library folder not found" in outcome.err
    assert str(folder) in outcome.err


def same_name(path: Path, _folder: Path) -> Path:
    return path


def hard_link(path: Path, folder: Path) -> Path:
    link = folder / "hard.wav"
    link.hardlink_to(path)
    return link


def symbolic_link(path: Path, folder: Path) -> Path:
    link = folder / "soft.wav"
    link.symlink_to(path)
    return link


@pytest.mark.parametrize("name", [same_name, hard_link, symbolic_link])
def test_what_is_read_is_never_written_over(
    nemod: Nemod, amp: Path, riff: Path, tmp_path: Path, name: Callable[[Path, Path], Path]
) -> None:
    """The recording, the model and the configuration stay as they were, by any name."""
    recording, model, config = (tmp_path / f"{n}.wav" for n in ("in", "model", "config"))
    recording.write_bytes(riff.read_bytes())
    model.write_bytes(amp.read_bytes())
    config.write_text("audio: {block: 64}\n")
    for source, what in (
        (recording, "the recording"),
        (model, "the model"),
        (config, "the configuration"),
    ):
        before = source.read_bytes()
        target = name(source, tmp_path)
        outcome = nemod("render", recording, target, "--model", model, "--config", config)
        assert outcome.status == 1
        assert f"{target}: is {what} itself ({source}); name another file" in outcome.err
        assert source.read_bytes() == before
        if target != source:
            target.unlink()
