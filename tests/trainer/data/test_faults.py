"""Each simulated fault is reported; a clean recording has no findings."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from tests.trainer.data.conftest import RATE, Lay, Sound, pedal, plucked
from trainer.data.check import check_data
from trainer.data.dataset import Reading
from trainer.data.examine import examine
from trainer.data.fault_table import FAULTS, Severity
from trainer.data.faults import DataError, find, gathered
from trainer.data.load import load_dataset
from trainer.data.plan import Plan, Source
from trainer.data.split import SEGMENT_FRAMES
from trainer.data.takes import Take
from trainer.learn.recipe import Recipe

Pair = tuple[Sound, Sound]
TIME = np.arange(20 * RATE) / RATE


def codes(dry: Sound, wet: Sound) -> list[str]:
    """Return the codes of the findings of a pair, in the order of the table."""
    take = Take("pair", None, dry.astype(np.float32), wet.astype(np.float32), RATE)
    plan = Plan("set", (Source("pair", Path("dry"), Path("wet")),))
    found = {finding.fault.code for finding in examine([take], plan)}
    return [code for code in FAULTS if code in found]


def late(wet: Sound, frames: int) -> Sound:
    return np.concatenate([np.zeros(frames), wet])[: wet.size]


def test_a_clean_pair_has_no_findings(clean: Pair) -> None:
    """Recordings without faults are not reported."""
    assert codes(*clean) == []


@pytest.mark.parametrize("drive", [1.0, 40.0, 300.0])
def test_distortion_is_not_a_fault(drive: float) -> None:
    """From a clean boost to a heavy fuzz."""
    dry = plucked(3)
    assert codes(dry, pedal(dry, drive)) == []


def chorus(dry: Sound, wet: Sound) -> Pair:
    """Add a second voice whose delay is modulated by 4 ms at 0.8 Hz."""
    place = np.arange(wet.size) - RATE * (0.008 + 0.004 * np.sin(2 * np.pi * 0.8 * TIME))
    return dry, 0.7 * wet + 0.7 * np.interp(place, np.arange(wet.size), wet)


def reverb(dry: Sound, wet: Sound) -> Pair:
    """Add a second of decaying noise."""
    room = np.random.default_rng(2).standard_normal(RATE) * np.exp(-6.9 * TIME[:RATE] / 1.0)
    tail = signal.fftconvolve(wet, room / np.sqrt(np.sum(room**2)))[: wet.size]
    return dry, wet + 0.5 * tail


def clock(dry: Sound, wet: Sound) -> Pair:
    """Simulate a second interface whose clock is 80 ppm slow."""
    return dry, np.interp(np.arange(wet.size) * (1 - 80e-6), np.arange(wet.size), wet)


def drop(dry: Sound, wet: Sound) -> Pair:
    """Simulate a loose cable for 0.6 s."""
    return dry, np.where((TIME > 3.0) & (TIME < 3.6), 0.0, wet)


def hum(dry: Sound, wet: Sound) -> Pair:
    """Add a ground loop at 50 Hz with two harmonics."""
    waves = [np.sin(2 * np.pi * 50 * n * TIME) / n for n in (1, 2, 3)]
    return dry, wet + 0.004 * np.sum(waves, axis=0)


def silenced(dry: Sound, wet: Sound) -> Pair:
    """Silence twelve seconds."""
    gate = (TIME < 4.0) | (TIME > 16.0)
    return dry * gate, wet * gate


def noisy(dry: Sound, wet: Sound) -> Pair:
    """Add white noise 30 dB below the sound."""
    level = np.sqrt(np.mean(wet**2)) * 10 ** (-30 / 20)
    return dry, wet + level * np.random.default_rng(4).standard_normal(wet.size)


MADE: dict[str, Callable[[Sound, Sound], Pair]] = {
    "dry-clipped": lambda dry, wet: (np.clip(4 * dry, -1, 1), wet),
    "wet-clipped": lambda dry, wet: (dry, np.clip(2.2 * wet / np.max(np.abs(wet)), -1, 1)),
    "dry-silent": lambda dry, wet: (0 * dry, wet),
    "wet-silent": lambda dry, wet: (dry, 1e-5 * wet),
    "mostly-silent": silenced,
    "dropout": drop,
    "dc": lambda dry, wet: (dry, wet + 0.05),
    "noise": noisy,
    "hum": hum,
    "latency": lambda dry, wet: (dry, late(wet, 700)),
    "early": lambda dry, wet: (late(dry, 700), wet),
    "drift": clock,
    "polarity": lambda dry, wet: (dry, -wet),
    "swapped": lambda dry, wet: (wet, dry),
    "unrelated": lambda dry, wet: (dry, pedal(plucked(seed=9))),
    "identical": lambda dry, wet: (dry, 0.7 * dry),
    "time-variant": chorus,
}


@pytest.mark.parametrize("code", MADE)
def test_a_simulated_fault_is_found_and_no_other(clean: Pair, code: str) -> None:
    """Only this fault is reported."""
    assert codes(*MADE[code](*clean)) == [code]


@pytest.mark.parametrize(
    "made",
    [lambda dry, wet: (dry, wet + 0.3 * late(wet, round(0.35 * RATE))), reverb],
    ids=["echo", "reverb"],
)
def test_long_echoes_and_reverbs_are_found(
    clean: Pair, made: Callable[[Sound, Sound], Pair]
) -> None:
    """An echo is found anywhere, a reverb after the playing stops."""
    assert codes(*made(*clean)) == ["tail"]


@pytest.mark.parametrize("frames", [37, 700, 9_000])
def test_latency_is_measured_and_corrected(clean: Pair, lay: Lay, frames: int) -> None:
    """After loading, wet is aligned within two frames."""
    dry, wet = clean
    data = load_dataset(lay(dry, late(wet, frames)), report=lambda finding: None)
    learnt = data.train[0]
    ends = {lag: np.max(np.abs(learnt.wet[99:9_999] - wet[99 - lag : 9_999 - lag])) for lag in
            range(-2, 3)}  # fmt: skip
    assert min(ends.values()) < 1e-6


def test_a_stated_latency_is_not_measured(clean: Pair, lay: Lay) -> None:
    """`lag` in the manifest has precedence."""
    place = lay(*clean)
    (place / "manifest.yaml").write_text(
        "pairs: [{dry: input.wav, wet: output.wav, lag: 100}]", encoding="utf-8"
    )
    data = load_dataset(place, report=lambda finding: None)
    assert np.array_equal(data.train[0].wet[:500], clean[1][100:600].astype(np.float32))


def test_pairs_of_one_interface_have_one_shift(clean: Pair, lay: Lay) -> None:
    """A silent pair, whose latency cannot be measured, has that of the others."""
    dry, wet = clean
    for name, level in (("loud", 1.0), ("off", 0.0)):
        place = lay(dry, level * late(wet, 500), name=name)
    (place / "manifest.yaml").write_text(
        "pairs:\n"
        "- {dry: loud-input.wav, wet: loud-output.wav, knobs: {volume: 1}}\n"
        "- {dry: off-input.wav, wet: off-output.wav, knobs: {volume: 0}}\n",
        encoding="utf-8",
    )
    report = check_data(place)
    assert {row.shift for row in report.rows} == {report.rows[0].shift}
    assert abs(report.rows[0].shift - 500) <= 2
    assert [finding.fault.code for finding in report.findings] == ["knob-silent", "latency"]


def test_a_set_that_is_silent_at_all_settings_is_rejected(clean: Pair, lay: Lay) -> None:
    """A volume at 0 does not explain silence in all recordings."""
    dry, wet = clean
    for name in ("low", "high"):
        place = lay(dry, 0.0 * wet, name=name)
    (place / "manifest.yaml").write_text(
        "pairs:\n"
        "- {dry: low-input.wav, wet: low-output.wav, knobs: {volume: 0}}\n"
        "- {dry: high-input.wav, wet: high-output.wav, knobs: {volume: 1}}\n",
        encoding="utf-8",
    )
    report = check_data(place)
    assert report.refused
    assert "wet-silent" in {finding.fault.code for finding in report.findings}
    assert "knob-silent" not in {finding.fault.code for finding in report.findings}


def test_polarity_is_inverted_only_on_request(clean: Pair, lay: Lay) -> None:
    """`invert` inverts wet, and is part of the reading options; otherwise wet is as recorded."""
    place = lay(clean[0], -clean[1])
    as_is = load_dataset(place, report=lambda finding: None).train[0].wet
    turned = load_dataset(place, invert=True, report=lambda finding: None)
    assert np.array_equal(as_is, -turned.train[0].wet)
    assert turned.reading == Reading(path=place, invert=True)


def test_loading_fails_with_the_messages_of_the_check(clean: Pair, lay: Lay) -> None:
    """The error has the messages that `check` prints."""
    place = lay(clean[1], clean[0])
    report = check_data(place)
    with pytest.raises(DataError) as caught:
        load_dataset(place)
    errors = [
        message for severity, message in gathered(report.findings) if severity is Severity.ERROR
    ]
    assert str(caught.value) == "\n".join(errors)


def test_force_accepts_errors_inferred_from_the_sound(clean: Pair, lay: Lay) -> None:
    """They become warnings."""
    codes_found: list[str] = []
    load_dataset(
        lay(clean[1], clean[0]),
        force=True,
        report=lambda finding: codes_found.append(finding.fault.code),
    )
    assert "swapped" in codes_found


def test_a_value_that_is_not_finite_is_located(clean: Pair, lay: Lay) -> None:
    """NaN is an error with its position."""
    wet = clean[1].copy()
    wet[RATE] = math.nan
    with pytest.raises(
        DataError, match=r"wet has 1 values that are NaN or infinite, first at 1\.000 s"
    ):
        load_dataset(lay(clean[0], wet))


def test_different_lengths_are_reported_and_trimmed(clean: Pair, lay: Lay) -> None:
    """Frames without a counterpart are removed."""
    report = check_data(lay(clean[0], clean[1][:-RATE]))
    assert [finding.found for finding in report.findings] == [
        "dry is 20.000 s long and wet 19.000 s."
    ]
    assert report.rows[0].seconds == 19.0


def test_different_rates_are_rejected_unless_one_is_requested(clean: Pair, lay: Lay) -> None:
    """A pair at two rates is an error; with `rate` both are resampled, which is reported."""
    dry, wet = clean
    double = signal.resample_poly(wet, 2, 1)
    place = lay(dry, double, wet_rate=2 * RATE)
    assert [finding.fault.code for finding in check_data(place).findings] == ["rates-differ"]
    report = check_data(place, rate=RATE)
    assert [finding.fault.code for finding in report.findings] == ["resampled"]
    assert (report.rows[0].seconds, report.rows[0].lag) == (
        20.0,
        check_data(lay(*clean)).rows[0].lag,
    )


def test_pairs_at_different_rates_are_rejected(clean: Pair, lay: Lay) -> None:
    """A data set has one rate."""
    lay(*clean, name="a")
    place = lay(*clean, rate=2 * RATE, name="b")
    found = check_data(place).findings
    assert [finding.found for finding in found] == [
        "the pairs have different sample rates: 1 at 22050 Hz, 1 at 44100 Hz."
    ]


@pytest.mark.parametrize(("seconds", "code"), [(1, "too-short"), (8, "short")])
def test_little_training_data_is_reported(clean: Pair, lay: Lay, seconds: int, code: str) -> None:
    """One second is an error, some seconds cause a warning."""
    dry, wet = (part[: seconds * RATE] for part in clean)
    assert code in {finding.fault.code for finding in check_data(lay(dry, wet)).findings}


def test_the_same_audio_in_train_and_test_is_found_at_any_offset(clean: Pair, lay: Lay) -> None:
    """A copied test recording is an error, wherever the copy starts."""
    dry, wet = clean
    lay(dry, wet, name="train")
    place = lay(dry[12_345:150_000], wet[12_345:150_000], name="test")
    assert [finding.fault.code for finding in check_data(place).findings] == ["overlap"]


def test_a_recording_that_is_cut_and_also_used_for_training_is_an_overlap(
    clean: Pair, lay: Lay
) -> None:
    """Its ends are for validation and test, and are also in the training set here."""
    place = lay(*clean)
    (place / "manifest.yaml").write_text(
        "pairs:\n"
        "- {dry: input.wav, wet: output.wav, name: cut}\n"
        "- {dry: input.wav, wet: output.wav, name: learnt, split: train}\n",
        encoding="utf-8",
    )
    (finding,) = [f for f in check_data(place).findings if f.fault.code == "overlap"]
    assert (finding.where, finding.figures["other"]) == ("cut", "learnt")
    assert finding.figures["other_split"] == "train"


def test_different_recordings_in_train_and_test_are_no_overlap(clean: Pair, lay: Lay) -> None:
    """A test set can have another recording of the same instrument."""
    lay(*clean, name="train")
    other = plucked(seed=5, seconds=6)
    assert check_data(lay(other, pedal(other), name="test")).findings == ()


def manifest(place: Path, *positions: str) -> None:
    pairs = [f"- {{dry: input.wav, wet: output.wav, knobs: {knobs}}}" for knobs in positions]
    text = "\n".join(["knobs: [tone, drive]", "split: {}", "pairs:", *pairs])
    (place / "manifest.yaml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("knobs", "found"),
    [
        ("{tone: 0.5, drive: 7}", "knob drive is 7."),
        ("{tone: 0.5}", "the position of knob drive is missing; other pairs state it."),
        ("{tone: 0.5, driev: 1}", "driev is not a knob of this data set, did you mean 'drive'?."),
    ],
)
def test_invalid_knobs_are_reported(clean: Pair, lay: Lay, knobs: str, found: str) -> None:
    """Out of range, missing and misspelt."""
    place = lay(*clean)
    manifest(place, "{tone: 0.1, drive: 0.2}", knobs)
    errors = [f.found for f in check_data(place).findings if f.severity is Severity.ERROR]
    assert errors == [found]


def test_a_constant_knob_is_reported(clean: Pair, lay: Lay) -> None:
    """A model cannot learn a knob from one position."""
    place = lay(*clean)
    manifest(place, "{tone: 0.5, drive: 0.2}", "{tone: 0.5, drive: 0.7}")
    found = [f.found for f in check_data(place).findings]
    assert "knob tone is at 0.5 in all training pairs." in found


def test_a_missing_split_is_reported(clean: Pair, lay: Lay) -> None:
    """A missing validation set is an error, a missing test set a warning."""
    place = lay(*clean)
    manifest(place, "{tone: 0.1, drive: 0.2}", "{tone: 0.2, drive: 0.3}")
    codes_found = [f.fault.code for f in check_data(place).findings]
    assert codes_found == ["no-validation", "no-test"]


def test_the_second_channel_is_used_on_request(clean: Pair, lay: Lay) -> None:
    """One channel of a stereo file is used, which is reported."""
    dry, wet = clean
    place = lay(dry, np.stack([0 * wet, wet], axis=1))
    report = check_data(place, channel=1)
    assert [f.fault.code for f in report.findings] == ["channels", "wet-silent"]
    mono = lay(np.stack([dry, dry], axis=1), np.stack([0 * wet, wet], axis=1), folder="both")
    assert [f.fault.code for f in check_data(mono, channel=2).findings] == ["channels"] * 2


def test_many_findings_of_one_fault_are_summarised() -> None:
    """A hundred files with one cause are reported once."""
    findings = [find("missing-file", f"pair {n}", file=f"{n}.wav") for n in range(9)]
    (message,) = gathered(findings)
    assert message[1].startswith("pair 0: file 0.wav does not exist.")
    assert "(The same of 8 more: pair 1, pair 2, ...)" in message[1]


def quiet_end(sound: Sound, start: float) -> Sound:
    return np.where(np.arange(sound.size) < start * RATE, sound, 0.0)


@pytest.mark.parametrize("start", [17.5, 15.0, 10.0])
def test_a_recording_with_a_silent_end_is_cut_before_it(
    clean: Pair, lay: Lay, start: float
) -> None:
    """Validation and test have sound, no frame is lost, and there is no finding."""
    dry, wet = (quiet_end(part, start) for part in clean)
    data = load_dataset(lay(dry, wet), report=lambda finding: None)
    parts = [data.train[0].wet, data.validation[0].wet, data.test[0].wet]
    assert np.array_equal(np.concatenate(parts), wet.astype(np.float32))
    whole = np.mean(wet**2)
    assert min(np.mean(np.square(part, dtype=np.float64)) for part in parts) > 0.01 * whole
    assert parts[0].size > 0.7 * start * RATE


def test_a_silent_validation_part_is_moved(clean: Pair, lay: Lay) -> None:
    """The test part is unchanged."""
    dry, wet = (np.where((TIME > 15.5) & (TIME < 18.0), 0.0, part) for part in clean)
    data = load_dataset(lay(dry, wet), report=lambda finding: None)
    assert data.test[0].wet.size == 2 * RATE
    assert abs(data.validation[0].wet.size - 4.5 * RATE) < 0.1 * RATE
    assert np.max(np.abs(data.validation[0].wet[: 2 * RATE])) > 0.1


@pytest.mark.parametrize(
    ("part", "code", "refused"),
    [("validation", "part-silent", True), ("test", "test-silent", False)],
)
def test_a_silent_stated_split_is_reported(
    clean: Pair, lay: Lay, part: str, code: str, refused: bool
) -> None:
    """Noise at -80 dB counts as silence; a silent validation set is an error."""
    dry, wet = clean
    lay(dry, wet, name="train")
    for name in ("validation", "test"):
        sound = plucked(seed=5 if name == "test" else 6, seconds=4)
        played = pedal(sound)
        if name == part:
            random = np.random.default_rng(1).standard_normal(sound.size)
            sound, played = 2e-3 * sound, 4e-4 * random
        place = lay(sound, played, name=name)
    report = check_data(place)
    (finding,) = [f for f in report.findings if f.fault.code in ("part-silent", "test-silent")]
    assert finding.fault.code == code
    assert ("the test" if part == "test" else part) in finding.sentence
    assert (finding.severity is Severity.ERROR) == refused


def test_one_silent_recording_of_many_is_excluded(clean: Pair, lay: Lay) -> None:
    """The others are used, and it is reported."""
    dry, wet = clean
    lay(dry, wet, name="good")
    place = lay(dry, 0 * wet, name="mute")
    lay(0 * dry, wet, name="unplugged")
    report = check_data(place)
    assert [(f.fault.code, f.where) for f in report.findings] == [
        ("left-out", "mute"),
        ("left-out", "unplugged"),
    ]
    assert [row.split for row in report.rows] == ["cut", "none", "none"]
    data = load_dataset(place, report=lambda finding: None)
    assert [pair.name for pair in data.train] == ["good"]


def test_a_silent_recording_that_its_split_needs_is_an_error(clean: Pair, lay: Lay) -> None:
    """Otherwise training recordings would be cut for it."""
    dry, wet = clean
    lay(dry, wet, name="train")
    place = lay(dry[: 4 * RATE], 0 * wet[: 4 * RATE], name="val")
    report = check_data(place)
    assert report.refused
    assert "wet-silent" in {finding.fault.code for finding in report.findings}


def test_a_silent_test_set_is_a_warning(clean: Pair, lay: Lay) -> None:
    """Training does not need a test set."""
    dry, wet = clean
    lay(dry, wet, name="train")
    place = lay(dry[: 4 * RATE], 0 * wet[: 4 * RATE], name="test")
    report = check_data(place)
    assert not report.refused
    assert "test-silent" in {finding.fault.code for finding in report.findings}


def test_mono_and_stereo_files_can_be_mixed(clean: Pair, lay: Lay) -> None:
    """`channel` applies to multichannel files; a channel that such a file lacks is an error."""
    dry, wet = clean
    place = lay(dry, np.stack([0 * wet, wet], axis=1))
    assert [f.fault.code for f in check_data(place, channel=2).findings] == ["channels"]
    (finding,) = check_data(place, channel=3).findings
    assert "channel 3 was requested" in finding.found


def beside(wet: Sound, other: Sound) -> Sound:
    return np.stack([wet, other], axis=1)


@pytest.mark.parametrize("level", [2.0**-15, 2.0**-23, 0.005])
def test_a_nearly_silent_channel_is_not_a_knob(clean: Pair, lay: Lay, level: float) -> None:
    """The unconnected second input of an interface is used only on request."""
    dry, wet = clean
    place = lay(beside(dry, np.full(dry.size, level)), wet)
    report = check_data(place)
    assert (report.knobs, [f.fault.code for f in report.findings]) == ((), ["channels"])
    asked = check_data(place, channel=2)
    assert [f.figures.get("channel") for f in asked.findings if f.fault.code == "channels"] == [2]
    assert asked.refused


def test_a_click_in_another_channel_is_not_a_knob(clean: Pair, lay: Lay) -> None:
    """A knob keeps its position for more than a few samples."""
    dry, wet = clean
    click = np.zeros(dry.size)
    click[RATE : RATE + 3] = 0.5
    assert check_data(lay(beside(dry, click), wet)).knobs == ()


def test_requesting_a_knob_channel_is_reported(clean: Pair, lay: Lay) -> None:
    """The sound is in the first channel."""
    dry, wet = clean
    report = check_data(lay(beside(dry, np.where(TIME < 9, 0.2, 0.7)), wet), channel=2)
    assert report.knobs == ("knob1",)
    assert "knob-channels" in {finding.fault.code for finding in report.findings}


def test_recordings_shorter_than_a_segment_are_counted(clean: Pair, lay: Lay) -> None:
    """Training would ignore them; the length is that of the recipe."""
    dry, wet = clean
    lay(dry, wet, name="train")
    for number in range(2):
        part = slice((4 + number) * RATE, (4 + number) * RATE + 5_000)
        place = lay(dry[part], wet[part], name=f"{number}-train")
    (finding,) = [f for f in check_data(place).findings if f.fault.code == "short-pairs"]
    assert (finding.figures["count"], finding.figures["total"]) == (2, 3)
    assert Recipe().segment_frames == SEGMENT_FRAMES
