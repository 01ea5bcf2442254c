# ruff: noqa: T201 - a script prints
"""The MIDI surface with a real ALSA sequencer, input devices and pins, in a machine of the lab.

    lab run --results DIR -- python3 tests/parts/lab_controllers.py

Controllers are snd-virmidi, the lab's USB interface, which is plugged in and out, uinput's keys and
gpio-sim's pins. It needs root and these modules of the kernel; the control core is one in memory.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from nemod.control.events import Source
from nemod.midi.start import start_midi
from tests.osc.conftest import MemoryRig

BINDINGS = """\
bindings:
  - {device: Virtual Raw MIDI, cc: 20, target: gain}
  - {device: Lab UMC, cc: 30, channel: 1, target: bypass, mode: toggle, echo: true}
  - {device: Lab pedal, key: PAGEDOWN, target: comp/enable}
  - {device: %s, pin: 3, target: mute, mode: momentary}
"""
ME = Source("lab", "script")


def shell(command: str) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


async def until(what: str, is_there: Callable[[], bool], seconds: float = 5.0) -> None:
    start = time.monotonic()
    while not is_there():
        if time.monotonic() - start > seconds:
            print(f"FAILED  {what}", flush=True)
            return
        await asyncio.sleep(0.001)
    print(f"ok      {what} ({(time.monotonic() - start) * 1e3:.1f} ms)", flush=True)


def simulated_chip() -> tuple[str, Path | None]:
    """Make a chip of pins with gpio-sim; return its name and the folder of its pin 3."""
    print(shell("modprobe gpio-sim"))
    root = Path("/sys/kernel/config/gpio-sim")
    if not root.is_dir():
        return "gpiochip9", None
    (root / "lab/bank").mkdir(parents=True)
    (root / "lab/bank/num_lines").write_text("8")
    (root / "lab/live").write_text("1")
    chip = (root / "lab/bank/chip_name").read_text().strip()
    device = (root / "lab/dev_name").read_text().strip()
    return chip, Path(f"/sys/devices/platform/{device}/{chip}/sim_gpio3")


async def main() -> None:
    print(shell("uname -r"))
    chip, pin = simulated_chip()
    folder = Path(tempfile.mkdtemp())
    (folder / "bindings.yaml").write_text(BINDINGS % chip)
    rig = MemoryRig()
    surface = await start_midi(rig.controller, folder / "bindings.yaml")
    await until(
        "virtual port connected", lambda: any("Virtual" in p for p in rig.controller.midi.ports)
    )
    print("ports", rig.controller.midi.ports)
    virtual = Path("/dev/snd/midiC3D0").open("wb", buffering=0)  # noqa: SIM115 - until the end

    virtual.write(bytes([0xB0, 20, 127]))
    await until(
        "a bound controller sets its parameter", lambda: rig.controller.position("gain") == 1.0
    )
    virtual.write(bytes([0xB0, 7, 64, 7, 10]))
    await until(
        "a default works, with running status", lambda: rig.controller.position("level") < 0.1
    )

    took = []
    for step in range(200):
        start = time.monotonic()
        virtual.write(bytes([0xB0, 20, step % 2 * 127]))
        while rig.controller.position("gain") != float(step % 2):
            await asyncio.sleep(0)
        took.append(1e3 * (time.monotonic() - start))
    print(
        f"write to the device -> parameter set, ms: p50 {statistics.median(took):.2f}, "
        f"p99 {sorted(took)[197]:.2f}",
        flush=True,
    )

    job = rig.controller.midi.learn("bass", ME)
    virtual.write(bytes([0xB2, 0, 1, 32, 5, 21, 60, 21, 64]))
    await until("a control is learned", lambda: job.is_over)
    print("        ", job.result, job.error)

    commits, start = len(rig.commits), time.monotonic()
    for piece in range(100):
        virtual.write(b"".join(bytes([0xB0, 20, (piece + n) % 128]) for n in range(100)))
        await asyncio.sleep(0.001)
    virtual.write(bytes([0xB0, 20, 64]))
    await until(
        "10,000 messages leave the last value",
        lambda: rig.controller.position("gain") == 64 / 127,
        20,
    )
    print(
        f"        {len(rig.commits) - commits} commits in {time.monotonic() - start:.2f} s",
        flush=True,
    )

    await keys(rig)
    for turn in range(2):
        shell("labctl plug usb")
        await until(
            f"USB {turn}: connected", lambda: any("UMC" in p for p in rig.controller.midi.ports), 20
        )
        # The interface sends back what it is sent: the lamp of the switch presses it.
        rig.controller.set("bypass", 1.0, ME)
        await until(
            f"USB {turn}: the echo came back", lambda: rig.controller.position("bypass") == 0.0
        )
        virtual.write(bytes([0xB0, 20, 10 + turn]))
        shell("labctl unplug usb")
        await until(
            f"USB {turn}: disconnected",
            lambda: not any("UMC" in p for p in rig.controller.midi.ports),
            20,
        )
    print("descriptors", len(os.listdir("/proc/self/fd")), flush=True)

    await pins(rig, pin)
    surface.close()
    print("done", flush=True)


async def keys(rig: MemoryRig) -> None:
    print(shell("modprobe uinput"))
    try:
        from evdev import UInput, ecodes

        pedal = UInput(name="Lab pedal", events={ecodes.EV_KEY: [ecodes.KEY_PAGEDOWN]})
    except Exception as error:
        print("no keys:", error)
        return
    await until("input device connected", lambda: "Lab pedal" in rig.controller.midi.ports, 10)
    for value in (1, 0):
        pedal.write(ecodes.EV_KEY, ecodes.KEY_PAGEDOWN, value)
        pedal.syn()
    await until("a key toggles", lambda: rig.controller.position("comp/enable") == 1.0)
    pedal.close()
    await until(
        "input device disconnected", lambda: "Lab pedal" not in rig.controller.midi.ports, 10
    )


async def pins(rig: MemoryRig, pin: Path | None) -> None:
    if pin is None:
        print("no pins: gpio-sim is missing")
        return
    print(rig.controller.midi.ports)
    (pin / "pull").write_text("pull-down")  # the switch connects the pin with ground
    await until("a pin that is held", lambda: rig.controller.position("mute") == 1.0)
    (pin / "pull").write_text("pull-up")
    await until("and released", lambda: rig.controller.position("mute") == 0.0)


if __name__ == "__main__":
    asyncio.run(main())
