"""Data sets of circuits: settings, pieces, and resuming an interrupted build."""

import json
import signal
import subprocess
import sys
import time as clock
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod.common.errors import ConfigError
from trainer.cli import simulate as command
from trainer.data.folder import FolderError
from trainer.data.layouts import read_plan
from trainer.simulate import build
from trainer.simulate.circuit import CircuitError, find, parse

RATE = 48_000
CLIPPER = """\
*nemod title diode clipper
*nemod knob level 0.25
cin in a 100n
rin a 0 100k
r1 a b 2.2k
c1 b 0 10n
d1 b 0 dx
d2 0 b dx
r2 b out {10k*(1-level)+1}
r3 out 0 {10k*level+1}
.model dx d(is=2.52n n=1.752)
"""


@pytest.fixture
def clipper(tmp_path: Path) -> Path:
    """Return the netlist file of a small circuit with one knob."""
    path = tmp_path / "clipper.cir"
    path.write_text(CLIPPER)
    return path


def test_a_grid_trains_on_all_combinations_and_tests_other_settings() -> None:
    """Fixed knobs keep their position; validation and test settings are not on the grid."""
    circuit = find("muff")
    sound = np.ones(100_000, np.float32)
    specs = build.grid(circuit, {"volume": 1.0}, (0.0, 0.5, 1.0), 4, sound, 1000, seed=0)
    settings = {
        split: [tuple(pair.setting.values()) for pair in specs if pair.split == split]
        for split in build.SPLITS
    }
    expected = [(s, t, 1.0) for s in (0.0, 0.5, 1.0) for t in (0.0, 0.5, 1.0)]
    assert settings["train"] == expected
    assert [len(settings[split]) for split in ("validation", "test")] == [4, 4]
    assert not set(settings["test"]) & set(expected)


def test_splits_share_no_sound() -> None:
    """Training, validation and test use different parts of the sound."""
    sound = np.arange(10_000, dtype=np.float32)
    specs = build.grid(find("muff"), {"volume": 1.0}, (0.0, 1.0), 3, sound, 900, seed=0)
    played = {
        split: {float(x) for pair in specs if pair.split == split for x in pair.dry[10:]}
        for split in build.SPLITS
    }
    assert not played["train"] & played["validation"]
    assert not played["train"] & played["test"]
    assert not played["validation"] & played["test"]


@pytest.mark.ngspice
def test_pieces_put_together_equal_an_unbroken_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lead of a piece is long enough for its transient to decay."""
    time = np.arange(14_400) / RATE
    sound = (0.3 * np.sin(2.0 * np.pi * 196.0 * time) * np.cos(9.0 * time)).astype(np.float32)
    specs = [build.PairSpec("train", {"level": 0.5}, sound)]
    circuit = parse("clipper", CLIPPER)
    wet = []
    for piece_s in (1.0, 0.1):
        monkeypatch.setattr(build, "PIECE_S", piece_s)
        monkeypatch.setattr(build, "LEAD_S", 0.1)
        folder = tmp_path / str(piece_s)
        assert build.build(circuit, specs, RATE, folder, source="sine", command="test")
        wet.append(soundfile.read(next(folder.glob("*-target.wav")))[0])
    assert wet[0].size == sound.size
    error = np.sum((wet[0] - wet[1]) ** 2) / np.sum(wet[0] ** 2)
    assert error < 1e-6


@pytest.mark.ngspice
def test_the_command_writes_a_set_that_the_trainer_reads(clipper: Path, tmp_path: Path) -> None:
    """Pairs of all splits with knob positions and default, and how they were generated."""
    out = tmp_path / "set"
    arguments = [str(clipper), "--out", str(out), "--grid", "0,1", "--others", "1"]
    assert command.main([*arguments, "--seconds", "0.2", "--rate", "44100"]) == 0
    plan = read_plan(out)
    assert plan.knobs == ("level",)
    assert plan.defaults == {"level": 0.25}
    assert [source.split for source in plan.sources] == ["train", "train", "validation", "test"]
    assert [source.knobs["level"] for source in plan.sources[:2]] == [0.0, 1.0]
    dry, rate = soundfile.read(plan.sources[1].dry)
    wet, _ = soundfile.read(plan.sources[1].wet)
    assert (dry.size, wet.size, rate) == (8820, 8820, 44_100)
    assert 0.3 < np.abs(wet).max() / np.abs(dry).max() < 1.0
    made = json.loads((out / "manifest.json").read_text())["made"]
    assert made["netlist_sha256"] == parse("clipper", CLIPPER).digest
    assert made["simulator"].startswith("ngspice-")
    assert not (out / build.WORK).exists()


@pytest.mark.ngspice
def test_a_killed_build_resumes_with_its_finished_pieces(clipper: Path, tmp_path: Path) -> None:
    """Finished pieces are not simulated again."""
    out = tmp_path / "set"
    line = [str(clipper), "--out", str(out), "--seconds", "2", "--jobs", "1", "--rate", "8000"]
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from trainer.cli import simulate; simulate.build.PIECE_S = 0.4; "
            "sys.exit(simulate.main(sys.argv[1:]))",
            *line,
        ],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = clock.monotonic() + 60.0
    while not (kept := list((out / build.WORK).glob("*.npy"))) and clock.monotonic() < end:
        assert child.poll() is None
        clock.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert kept
    assert not (out / "manifest.json").exists()
    before = [(path, path.stat().st_mtime_ns) for path in kept]
    seen = []
    original = build.spice.simulate

    def counted(*arguments: object, **more: object) -> object:
        seen.append([(path, path.stat().st_mtime_ns) for path, _ in before])
        return original(*arguments, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build.spice, "simulate", counted)
        patch.setattr(build, "PIECE_S", 0.4)
        assert command.main(line) == 0
    pieces = sum(-(-soundfile.info(file).frames // 3_200) for file in out.glob("*-input.wav"))
    assert len(seen) <= pieces - len(before)
    assert all(now == before for now in seen)
    assert (out / "manifest.json").exists()


@pytest.mark.ngspice
def test_a_failure_names_the_setting_and_the_time_in_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is counted from the start of the pair, not of the piece."""
    monkeypatch.setattr(build, "PIECE_S", 0.05)
    monkeypatch.setattr(build, "LEAD_S", 0.01)
    bad = parse(
        "bad",
        "*nemod knob tone 0.5\nr1 in 0 1k\nb1 out 0 v = ln(0.2-v(in))\nr2 out 0 1k\n",
    )
    ramp = np.linspace(0.0, 0.3, 4801, dtype=np.float32)[:4800]  # 0.2 V at 66.7 ms
    specs = [build.PairSpec("train", {"tone": 0.5}, ramp)]
    with pytest.raises(CircuitError, match=r"bad at tone 0.5 does not converge at 0.067 s of"):
        build.build(bad, specs, RATE, tmp_path / "set", source="ramp", command="test")


@pytest.mark.ngspice
def test_another_set_is_not_overwritten(tmp_path: Path) -> None:
    """The same command again does nothing; another one is rejected."""
    circuit = parse("clipper", CLIPPER)
    sound = np.zeros(2400, np.float32)

    def make(level: float) -> bool:
        specs = [build.PairSpec("train", {"level": level}, sound)]
        return build.build(circuit, specs, RATE, tmp_path, source="silence", command="first")

    assert make(0.5)
    assert not make(0.5)
    with pytest.raises(CircuitError, match=r"already holds a data set of clipper \(`first`\)"):
        make(0.6)


@pytest.mark.ngspice
def test_other_recordings_in_the_folder_are_not_overwritten(tmp_path: Path) -> None:
    """A manifest would hide them; recordings that a killed build left are replaced."""
    circuit = parse("clipper", CLIPPER)
    specs = [build.PairSpec("train", {"level": 0.5}, np.zeros(2400, np.float32))]

    def make() -> bool:
        return build.build(circuit, specs, RATE, tmp_path, source="silence", command="test")

    soundfile.write(tmp_path / "input.wav", np.zeros(10), RATE)
    with pytest.raises(FolderError, match=r"another data set .*\(input.wav\)"):
        make()
    assert [file.name for file in tmp_path.iterdir()] == ["input.wav"]
    (tmp_path / "input.wav").rename(tmp_path / "000_train_level0.50-input.wav")
    with pytest.raises(FolderError, match=r"000_train_level0\.50-input\.wav"):
        make()
    (tmp_path / build.WORK).mkdir()
    assert make()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["muff"], "--out DATA expected"),
        (["muff", "--out", "x", "--knobs", "tone=2"], "'tone=2': NAME=POSITION from 0 to 1"),
        (["muff", "--out", "x", "--knobs", "tne=0.2"], "'tne' is not a knob of muff.*'tone'"),
        (["muff", "--out", "x", "--grid", "0,two"], "--grid '0,two': positions from 0 to 1"),
        (["muff", "--out", "x", "--peak", "0"], "volts from 0.001 to 100"),
    ],
)
def test_wrong_usage_is_reported(arguments: list[str], expected: str) -> None:
    """The message states the given and the allowed value."""
    with pytest.raises(ConfigError, match=expected):
        command.main(arguments)
