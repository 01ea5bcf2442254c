"""`nemod midi`: what it lists, and what it shows of a controller at a named pipe."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nemod.cli import check, midi
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.sources import base


def test_a_machine_without_a_sequencer_lists_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input devices with keys and chips with pins, by name; the status is that of an error."""
    monkeypatch.setattr(base, "SEQUENCER", str(tmp_path / "seq"))
    for number, (name, keys) in enumerate([("PageFlip [1]", "0 1000"), ("Lid", "0 0")]):
        folder = tmp_path / f"input/event{number}/device"
        (folder / "capabilities").mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "capabilities/key").write_text(f"{keys}\n")
    (tmp_path / "gpio/gpiochip0").mkdir(parents=True)
    monkeypatch.setattr(midi, "_INPUTS", tmp_path / "input")
    monkeypatch.setattr(midi, "_CHIPS", tmp_path / "gpio")
    assert midi.main([]) == 1
    printed = capsys.readouterr()
    assert "PageFlip [1]" in printed.out
    assert "Lid" not in printed.out
    assert "gpiochip0" in printed.out
    assert "snd-seq" in printed.err


def test_the_monitor_shows_controls_and_the_ends_of_pedals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line a message; of a clock, one a second."""
    from rich.console import Console

    monitor, port = midi._Monitor(Console(width=200)), Port("FCB1010", "MIDI [1]")
    monitor.received([(port, Message(Kind.CC, 2, 11, value)) for value in (60, 4, 121)])
    monitor.received([(port, Message(Kind.CLOCK, 0, 0, 0))] * 30)
    monitor.received(
        [
            (port, Message(Kind.PROGRAM, 1, 5, 127)),
            (port, Message(Kind.KEY, 0, 109, 127)),
            (port, Message(Kind.BEND, 1, 0, 8192)),
        ]
    )
    assert capsys.readouterr().out.splitlines() == [
        "FCB1010: MIDI [1]: cc 11, channel 2: 60 (so far 60 to 60)",
        "FCB1010: MIDI [1]: cc 11, channel 2: 4 (so far 4 to 60)",
        "FCB1010: MIDI [1]: cc 11, channel 2: 121 (so far 4 to 121)",
        "FCB1010: MIDI [1]: clock",
        "FCB1010: MIDI [1]: program 5, channel 1",
        "FCB1010: MIDI [1]: key PAGEDOWN pressed",
        "FCB1010: MIDI [1]: bend, channel 1: 8192 (so far 8192 to 8192)",
    ]


def test_the_monitor_ends_with_ctrl_c(tmp_path: Path) -> None:
    """Status 0, and what a controller has sent is on the terminal."""
    pipe = tmp_path / "pedal"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "nemod", "midi", "monitor", "--raw-midi", str(pipe)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "pedal: connected\n"
    pipe.write_bytes(bytes.fromhex("b0 07 40"))
    assert process.stdout.readline() == "pedal: cc 7, channel 1: 64 (so far 64 to 64)\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(10.0) == 0
    process.stdout.close()


def test_check_tells_every_mistake_of_the_bindings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the entry and what is allowed; a file without any is no error."""
    path = tmp_path / "pedals.yaml"
    path.write_text("bindings:\n- {cc: 200, target: gain}\n- {cc: 20, target: gain, moed: latch}\n")
    assert check.main([str(path)]) == 1
    error = capsys.readouterr().err
    assert "bindings[1]: cc: a whole number from 0 to 127" in error
    assert "bindings[2].moed: unknown key" in error
    path.write_text("bindings:\n- {cc: 20, target: gain}\n")
    assert check.main([str(path)]) == 0
    assert "1 bindings" in capsys.readouterr().out
    path.write_text("bindings: [\n")
    assert check.main([str(path)]) == 1
    assert "not YAML" in capsys.readouterr().err
