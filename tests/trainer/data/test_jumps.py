"""Jumps of the latency: detection of simulated jumps, cutting, and no false alarms."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from tests.trainer.data.conftest import RATE, Lay, Sound, pedal, plucked
from trainer.cli import main
from trainer.data.check import check_data
from trainer.data.jumps import Jump, find_jumps, pieces
from trainer.data.load import load_dataset

LONG = pytest.mark.long
Pair = tuple[Sound, Sound]
TIME = np.arange(20 * RATE) / RATE


def lose(wet: Sound, at: int, frames: int) -> Sound:
    """Return wet with `frames` inserted at a position, or lost if negative, at the same length."""
    if frames < 0:
        return np.concatenate([wet[:at], wet[at - frames :], np.zeros(-frames)])
    return np.concatenate([wet[:at], np.zeros(frames), wet[at:]])[: wet.size]


def found(dry: Sound, wet: Sound, lag: int = 0) -> list[Jump]:
    return find_jumps(dry.astype(np.float32), wet.astype(np.float32), RATE, lag)


@pytest.mark.parametrize(
    ("share", "frames"),
    [
        (0.53, 16),
        (0.95, -16),
        # Only the end of a note is there.
        (0.97, 128),
        *(
            pytest.param(share, frames, marks=LONG)
            for share, frames in (
                (0.05, -1024),
                (0.05, 128),
                (0.53, -64),
                (0.53, 512),
                (0.95, 128),
                (0.97, -1024),
            )
        ),
    ],
)
def test_a_jump_is_found_with_its_place_and_size(clean: Pair, share: float, frames: int) -> None:
    """The position is within 20 ms beyond the inserted frames, the size within 2 frames."""
    dry, wet = clean
    at = round(share * wet.size)
    (jump,) = found(dry, lose(wet, at, frames))
    assert -0.02 * RATE <= jump.at - at <= 0.02 * RATE + max(0, frames)
    assert abs(jump.frames - frames) <= 2


@pytest.mark.parametrize(
    ("seconds", "frames"),
    [
        (0.12, 64),
        (-0.12, -256),
        *(
            pytest.param(seconds, frames, marks=LONG)
            for seconds, frames in ((0.12, -256), (-0.25, -256), (-0.25, 64))
        ),
    ],
)
def test_a_jump_beside_little_sound_is_found(seconds: float, frames: int) -> None:
    """Only 0.12 s or 0.25 s of sound lie before the jump, or after it."""
    dry = plucked(4, 8)
    wet = pedal(dry)
    end = 7 * RATE  # where the last note has almost ended
    at = round(seconds * RATE) + (0 if seconds > 0 else end)
    wet[end:] = 0
    (jump,) = found(dry, lose(wet, at, frames))
    assert -0.02 * RATE <= jump.at - at <= 0.02 * RATE + max(0, frames)
    assert abs(jump.frames - frames) <= 2


def test_two_jumps_close_to_each_other_are_found(clean: Pair) -> None:
    """Two buffers are lost within 0.3 s."""
    dry, wet = clean
    at = 4 * RATE
    jumps = found(dry, lose(lose(wet, at, 64), at + 64 + round(0.3 * RATE), -256))
    assert [jump.frames for jump in jumps] == pytest.approx([64, -256], abs=2)


def test_frames_lost_in_dry_increase_the_latency(clean: Pair) -> None:
    """If dry lacks 256 frames, the latency of wet increases by 256."""
    dry, wet = clean
    (jump,) = found(lose(dry, 6 * RATE, -256), wet)
    assert abs(jump.at - 6 * RATE) <= 0.02 * RATE + 256
    assert abs(jump.frames - 256) <= 2


@pytest.mark.parametrize(
    ("drive", "sign"),
    [
        (300.0, -1),
        *(pytest.param(drive, sign, marks=LONG) for drive, sign in ((1, 1), (1, -1), (300, 1))),
    ],
)
def test_several_jumps_are_found_at_any_distortion_and_polarity(drive: float, sign: int) -> None:
    """Two buffers lost and one inserted, through a boost and a fuzz."""
    dry = plucked(3)
    wet = sign * pedal(dry, drive)
    for at, frames in ((15 * RATE, -256), (11 * RATE, 128), (4 * RATE, -256)):
        wet = lose(wet, at, frames)
    jumps = found(dry, wet)
    # A loss moves the following frames forward.
    assert [jump.frames for jump in jumps] == pytest.approx([-256, 128, -256], abs=2)
    places = [4 * RATE, 11 * RATE - 256, 15 * RATE - 128]
    assert [jump.at for jump in jumps] == pytest.approx(places, abs=0.02 * RATE + 128)


def vibrato(dry: Sound, wet: Sound, depth_s: float, hertz: float) -> Pair:
    places = np.arange(wet.size) - RATE * (0.008 + depth_s * np.sin(2 * np.pi * hertz * TIME))
    return dry, np.interp(places, np.arange(wet.size), wet)


@pytest.mark.parametrize(
    "name",
    [
        "fast drift",
        "vibrato",
        *(
            pytest.param(name, marks=LONG)
            for name in (
                "clean",
                "fuzz",
                "drift",
                "chorus",
                "slow vibrato",
                "echo",
                "tremolo",
            )
        ),
    ],
)
def test_no_jump_is_found_where_there_is_none(clean: Pair, name: str) -> None:
    """Clock drift, through a rest too, modulated delays and echoes are not jumps."""
    dry, wet = clean
    late = np.concatenate([np.zeros(round(0.35 * RATE)), wet])[: wet.size]
    slow = np.interp(np.arange(wet.size) * (1 - 80e-6), np.arange(wet.size), wet)
    fast = np.interp(np.arange(wet.size) * (1 + 300e-6), np.arange(wet.size), wet)
    made = {
        "clean": clean,
        "fuzz": (dry, pedal(dry, 300.0)),
        "drift": (dry, slow),
        "fast drift": (dry, fast),
        "chorus": (dry, wet + vibrato(dry, wet, 0.004, 0.8)[1]),
        "vibrato": vibrato(dry, wet, 0.004, 0.8),
        "slow vibrato": vibrato(dry, wet, 0.006, 0.1),
        "echo": (dry, wet + 0.5 * late),
        "tremolo": (dry, wet * (0.55 + 0.45 * np.sin(2 * np.pi * 5 * TIME))),
    }
    assert found(*made[name]) == []


def test_a_jump_and_a_drift_are_both_reported(clean: Pair, lay: Lay) -> None:
    """80 ppm over 20 s are 35 frames at this rate, without the jump."""
    dry, wet = clean
    slow = np.interp(np.arange(wet.size) * (1 - 80e-6), np.arange(wet.size), wet)
    report = check_data(lay(dry, lose(slow, 12 * RATE, -512)))
    codes = [finding.fault.code for finding in report.findings]
    assert codes == ["jump", "drift"]
    jump, drift = report.findings
    assert jump.figures["frames"] == pytest.approx(-512, abs=4)
    assert drift.figures["parts"] == pytest.approx(80, abs=12)


def test_a_jump_is_reported_alone_with_the_latency_before_and_after(clean: Pair, lay: Lay) -> None:
    """Neither modulation nor clock drift is reported; training is rejected."""
    dry, wet = clean
    late = np.concatenate([np.zeros(300), wet])[: wet.size]
    lag = check_data(lay(dry, late, folder="whole")).rows[0].lag
    assert lag == pytest.approx(300, abs=2)
    report = check_data(lay(dry, lose(late, 13 * RATE, -256)))
    assert {finding.fault.code for finding in report.findings} == {"jump", "latency"}
    assert report.refused
    (jump,) = report.rows[0].jumps
    assert (jump.before, jump.after) == pytest.approx((lag, lag - 256), abs=2)
    jump_findings = [f for f in report.findings if f.fault.code == "jump"]
    assert jump_findings[0].figures["seconds"] == pytest.approx(13.0, abs=0.02)


@pytest.mark.parametrize("frames", [-256, pytest.param(256, marks=LONG)])
def test_a_recording_is_cut_at_its_jump_on_request(clean: Pair, lay: Lay, frames: int) -> None:
    """All pieces are aligned, no part of dry or wet is in two splits, and the shares are kept."""
    dry, wet = clean
    at = round(0.85 * wet.size)  # within the validation part
    data = load_dataset(lay(dry, lose(wet, at, frames)), cut_at_jumps=True, report=lambda _: None)
    assert data.reading is not None
    assert data.reading.cut_at_jumps
    seconds = [sum(p.dry.size for p in part) / RATE for part in (data.train, data.validation)]
    assert seconds == pytest.approx([16.0, 2.0], abs=0.1)
    for part in (data.train, data.validation, data.test):
        for one in part:
            (start,) = _places(dry, one.dry)
            aligned = wet[start : start + one.wet.size]
            assert np.max(np.abs(one.wet - aligned)) < 1e-6
    spans = sorted(
        (start, start + one.dry.size)
        for part in (data.train, data.validation, data.test)
        for one in part
        for start in _places(dry, one.dry)
    )
    assert len(spans) == 4
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def _places(whole: Sound, piece: np.ndarray) -> list[int]:
    """Return the positions of a piece in the whole, by correlation."""
    match = signal.oaconvolve(whole, piece[::-1].astype(np.float64), mode="valid")
    energy = signal.oaconvolve(whole**2, np.ones(piece.size), mode="valid")
    likeness = match / np.sqrt(np.maximum(energy, 1e-9) * np.sum(np.square(piece, dtype=float)))
    return [int(np.argmax(likeness))]


def test_pieces_share_no_frame_of_either_recording() -> None:
    """Frames lost in wet, then inserted, with margins of 20 ms at 1 kHz."""
    jumps = [Jump(3_000, 10, -54), Jump(6_000, -54, 74)]
    assert [(p.first, p.last, p.offset) for p in pieces(jumps, 10_000, 1_000)] == [
        (0, 2_980, 0),
        (3_020, 5_980, -64),
        (6_148, 10_000, 64),
    ]
    dry = wet = np.arange(10_000, dtype=np.float32)
    spans = [piece.cut(dry, wet)[0][[0, -1]].tolist() for piece in pieces(jumps, 10_000, 1_000)]
    assert spans == [[0, 2_979], [3_084, 6_043], [6_084, 9_935]]


@pytest.mark.long
def test_the_command_line_reports_and_cuts(
    clean: Pair, lay: Lay, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Status 1 with the remedy, status 0 with it; JSON has the figures."""
    dry, wet = clean
    place = lay(dry, lose(wet, 13 * RATE, -256))
    assert main(["check", str(place)]) == 1
    assert "--cut-at-jumps" in capfd.readouterr().out
    assert main(["check", "--json", str(place)]) == 1
    (row,) = json.loads(capfd.readouterr().out)["pairs"]
    assert row["jumps"][0]["at"] == pytest.approx(13 * RATE, abs=0.02 * RATE)
    assert main(["check", "--cut-at-jumps", str(place)]) == 0
    assert "cut into 2 pieces" in capfd.readouterr().out


@pytest.mark.long
def test_a_jump_is_found_in_real_recordings_only_if_simulated(shared_data: Path) -> None:
    """A recording of a real pedal, unchanged and with a lost buffer of 128 frames."""
    import soundfile

    place = shared_data / "pairs" / "hudson_broadcast"
    (dry, rate), (wet, _) = (
        soundfile.read(place / f"{name}.wav", dtype="float32") for name in ("dry", "wet")
    )
    assert find_jumps(dry, wet, rate, 0) == []
    at = round(0.3 * wet.size)
    (jump,) = find_jumps(dry, lose(wet, at, -128).astype(np.float32), rate, 0)
    assert abs(jump.at - at) < 0.05 * rate
    assert abs(jump.frames + 128) <= 4
