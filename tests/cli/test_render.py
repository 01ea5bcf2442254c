"""`nemod render`: a file through the rig."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod import load_model, render
from tests.cli.conftest import Nemod, Outcome


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


@pytest.mark.parametrize(
    "given",
    ["/nemo/gain=0.7", "gain=0.7", "/nemo/real/gain=9.6", "real/gain = 9.6", "knob/1=0.7"],
)
def test_a_setting_has_several_spellings(
    nemod: Nemod, two_knobs: Path, riff: Path, target: Path, given: str
) -> None:
    """As an address, without its root, and in the knob's own unit: 9.6 of -24..24 dB is 0.7."""
    arguments = ("render", riff, target, "--model", two_knobs, "--model-only", "--set", given)
    assert nemod(*arguments).status == 0
    settings = {"gain": 0.7}
    expected = render(
        load_model(two_knobs), sound(riff), 48_000, settings=settings, model_only=True
    )
    np.testing.assert_allclose(sound(target), expected, atol=1e-6)


def test_settings_add_up(nemod: Nemod, amp: Path, riff: Path, target: Path) -> None:
    """In milliseconds, as switches, and in the short form of the mixes; the last one counts."""
    words = ("/nemo/real/delay/time=10", "/nemo/delay=0.9", "delay/mix=0.5", "bypass=off")
    options = [part for word in words for part in ("--set", word)]
    assert nemod("render", riff, target, "--model", amp, *options).status == 0
    settings = {"delay/time": np.log(10.0) / np.log(2000.0), "delay/mix": 0.5}
    expected = render(load_model(amp), sound(riff), 48_000, settings=settings)
    np.testing.assert_allclose(sound(target), expected, atol=1e-6)
    assert np.abs(expected - render(load_model(amp), sound(riff), 48_000)).max() > 0.01


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("gain", "'gain': ADDRESS=VALUE with a number is expected, as /nemo/gain=0.7"),
        ("gain=loud", "'gain=loud': ADDRESS=VALUE with a number is expected"),
        ("gain=nan", "'gain=nan': ADDRESS=VALUE with a number is expected"),
        ("level=inf", "'level=inf': ADDRESS=VALUE with a number is expected"),
        ("/nemo/real/gian=3", "no setting 'gian'"),
        ("/nemo/real/knob/x=3", "no setting 'knob/x'"),
        ("/nemo/gian=0.7", "no setting is named 'gian', did you mean 'gain'?"),
        ("knob/1=0.7", "knob '1': this model's knobs are (none)"),
        ("=0.7", "no setting is named ''"),
    ],
)
def test_a_bad_setting_is_refused(
    nemod: Nemod, amp: Path, riff: Path, target: Path, given: str, text: str
) -> None:
    """With what is allowed; nothing is written."""
    outcome = nemod("render", riff, target, "--model", amp, "--set", given)
    assert outcome.status == 2
    assert text in outcome.err
    assert not target.exists()


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
    assert "the name must end in .wav" in outcome.err
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


def test_of_several_channels_the_first_is_played(
    nemod: Nemod, amp: Path, riff: Path, tmp_path: Path, target: Path
) -> None:
    """And the user is told."""
    stereo = tmp_path / "stereo.wav"
    soundfile.write(stereo, np.stack([sound(riff), 0.0 * sound(riff)], 1), 48_000, subtype="FLOAT")
    outcome = nemod("render", stereo, target, "--model", amp, "--model-only")
    assert outcome.status == 0
    assert "2 channels; the first is played" in outcome.err
    expected = render(load_model(amp), sound(riff), 48_000, model_only=True)
    np.testing.assert_array_equal(sound(target), expected)


def test_an_empty_recording_gives_an_empty_file(
    nemod: Nemod, amp: Path, tmp_path: Path, target: Path
) -> None:
    """Of the same rate."""
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0, np.float32), 48_000, subtype="FLOAT")
    assert nemod("render", empty, target, "--model", amp, "--model-only").status == 0
    assert soundfile.info(target).frames == 0


def test_a_recording_is_never_written_over_itself(nemod: Nemod, amp: Path, riff: Path) -> None:
    """The input stays as it was."""
    before = riff.read_bytes()
    outcome = nemod("render", riff, riff, "--model", amp)
    assert outcome.status == 1
    assert "is the recording itself" in outcome.err
    assert riff.read_bytes() == before
