"""The lock of a device, and which process holds it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nemod.common.errors import AudioError
from nemod.common.procinfo import memory_bytes, oom_kills, parent_of, process_info
from nemod.engine.devices.lock import DeviceLock, users_of_cards

HOLD = """
import sys, time
from nemod.engine.devices.lock import DeviceLock
lock = DeviceLock(sys.argv[1], "card")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_is_held_once_and_ends_with_its_process() -> None:
    """Refused while another process holds it, and free as soon as that one is killed."""
    name = f"test/{os.getpid()}"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AudioError, match=rf"'card' .* held by nemod \(process {holder.pid}\)"):
            DeviceLock(name, "card")
        DeviceLock(f"{name}/other", "card").release()
        holder.send_signal(signal.SIGKILL)
        # A daemon that waits for the audio process of one that has ended gets it then.
        DeviceLock(name, "card", patience_s=10.0).release()
        DeviceLock(name, "card").release()
    finally:
        holder.kill()
        holder.wait()
        holder.stdin.close()
        holder.stdout.close()


def test_a_device_without_a_lock_is_for_everybody() -> None:
    """Clock devices, and outputs without an input."""
    DeviceLock("", "null")
    DeviceLock("", "null")


def test_who_uses_a_card_is_read_from_alsa(tmp_path: Path) -> None:
    """The process that has a stream open, by name; closed streams have none."""
    card = tmp_path / "asound" / "card1"
    for number, text in ((0, "closed\n"), (1, "state: RUNNING\nowner_pid   : 812\n")):
        (card / "pcm0p" / f"sub{number}").mkdir(parents=True)
        (card / "pcm0p" / f"sub{number}" / "status").write_text(text)
    (card / "id").write_text("USB\n")
    (tmp_path / "812").mkdir()
    (tmp_path / "812" / "comm").write_text("pipewire\n")
    assert users_of_cards(tmp_path) == "USB is used by pipewire (process 812)"


def test_vitals_of_a_process(tmp_path: Path) -> None:
    """State, parent and processor time as the kernel gives them, whatever the name holds."""
    ours = process_info(os.getpid())
    assert ours is not None
    assert (ours.state, ours.parent) == ("R", os.getppid())
    assert ours.worked_s > 0.0
    fields = ["T", "42", *["0"] * 9, "100", "50", *["0"] * 30]
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(f"7 (a) b) {' '.join(fields)}\n")
    found = process_info(7, tmp_path)
    assert found is not None
    assert found.is_stopped
    assert found.worked_s == pytest.approx(150 / os.sysconf("SC_CLK_TCK"))
    assert parent_of(7, tmp_path) == 42
    assert (parent_of(8, tmp_path), process_info(8, tmp_path)) == (0, None)


def test_memory_and_its_victims(tmp_path: Path) -> None:
    """Read from /proc; where that is hidden, nothing is known."""
    (tmp_path / "vmstat").write_text("pgfault 9\noom_kill 3\n")
    (tmp_path / "meminfo").write_text("MemTotal:        1000 kB\n")
    assert (oom_kills(tmp_path), memory_bytes(tmp_path)) == (3, 1_024_000)
    assert (oom_kills(tmp_path / "no"), memory_bytes(tmp_path / "no")) == (0, 0)
