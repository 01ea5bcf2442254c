"""The device on libasound's own PCMs: `file` reads and writes files at any speed, like a cable."""

import math
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.common.errors import AudioError
from nemod.engine.devices import ports
from nemod.engine.devices.alsa import device as device_module
from nemod.engine.devices.alsa import pcm as pcm_module
from nemod.engine.devices.alsa.device import AlsaDevice
from nemod.engine.devices.alsa.duplex import TRIAL_S
from nemod.engine.devices.alsa.formats import S16, S24_3, S32, SampleFormat
from nemod.engine.devices.factory import open_device
from nemod.engine.ipc import DeviceRequest

pytestmark = pytest.mark.alsa

BLOCK, PERIODS, BLOCKS = 64, 3, 20
WAIT_S = 20.0
Config = Callable[[str], None]


def opened(name: str, **wanted: Any) -> AlsaDevice:
    request = DeviceRequest(**{"name": name, "block_frames": BLOCK, "periods": PERIODS, **wanted})
    device, player = open_device(request)
    assert isinstance(device, AlsaDevice)
    assert player is None
    return device


def files(folder: Path) -> str:
    return f"""
        pcm.cable {{
            type asym
            playback.pcm {{
                type file slave.pcm {{ type null }} format raw file "{folder}/out.raw"
            }}
            capture.pcm {{
                type file slave.pcm {{ type null }} format raw file "/dev/null"
                infile "{folder}/in.raw"
            }}
            hint {{ show on description "a cable" }}
        }}
    """


def play(device: AlsaDevice, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Play the input to the output for some blocks, on a PCM without a clock.

    A right output gets each block backwards.
    """
    monkeypatch.setattr(device_module, "SHORTEST_TRIAL_S", 0.0)
    done, left = threading.Event(), [blocks]

    def process(block: NDArray[np.float32], out: NDArray[np.float32], *, xrun: bool) -> None:
        sound = block if left[0] > 0 else np.zeros_like(block)
        out[:] = sound if out.ndim == 1 else np.stack([sound, sound[::-1]])
        left[0] -= 1
        if left[0] <= 0:
            done.set()
            time.sleep(0.001)  # until it is closed

    device.start(process)
    try:
        assert done.wait(WAIT_S)
        assert device.failure == ""
    finally:
        device.close()


@pytest.mark.parametrize(
    ("sample_format", "rate_hz", "block", "outputs"),
    [(S16, 44_100, 32, ()), (S24_3, 48_000, 64, (3, 1)), (S32, 96_000, 1024, (3, 1))],
)
def test_what_goes_through_is_what_came_in_one_buffer_later(
    tmp_path: Path,
    asoundrc: Config,
    monkeypatch: pytest.MonkeyPatch,
    sample_format: SampleFormat,
    rate_hz: int,
    block: int,
    outputs: tuple[int, ...],
) -> None:
    """To the last bit of 16 and 24; from the input's third channel to two of three outputs.

    The same to the first two, or left and right to those that are named.
    """
    asoundrc(files(tmp_path))
    monkeypatch.setattr(pcm_module, "FORMATS", (sample_format,))
    width, frames = sample_format.sample_bytes, block * BLOCKS
    trial = math.ceil(TRIAL_S * rate_hz / block) * block  # silence that is played first
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (frames, 3, width), np.uint8)
    if sample_format is S32:
        noise[:, :, 0] = 0  # float32 holds 24 bits
    (tmp_path / "in.raw").write_bytes(bytes(trial * 3 * width) + noise.tobytes())
    device = opened(
        "cable", input_channel=3, output_channels=outputs, rate_hz=rate_hz, block_frames=block
    )
    device.prepare()
    assert device.rate_hz == rate_hz
    sizes = f"period {block}, buffer {PERIODS * block} frames"
    assert device.details.startswith(f"in {sample_format.name}, 3 channels, {sizes}; out")
    play(device, BLOCKS, monkeypatch)
    # The file has what the card was given: the silence of the start, then the sound.
    out = np.frombuffer((tmp_path / "out.raw").read_bytes(), np.uint8)
    out = out[: out.size - out.size % (3 * width)].reshape(-1, 3, width)
    delay = PERIODS * block + trial
    assert not out[:delay].any()
    heard = out[delay : delay + frames]
    assert heard.shape[0] == frames
    left = noise[:, 2]
    right = left.reshape(BLOCKS, block, width)[:, ::-1].reshape(frames, width) if outputs else left
    other = np.zeros_like(left)
    expected = (right, other, left) if outputs else (left, right, other)
    np.testing.assert_array_equal(heard, np.stack(expected, axis=1))


def test_the_latency_is_known_and_the_name_finds_the_device(
    tmp_path: Path, asoundrc: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole name is found without PortAudio, which would open every card."""
    asoundrc(files(tmp_path))
    (tmp_path / "in.raw").write_bytes(bytes(4 * BLOCK))

    def never() -> None:
        raise AssertionError("PortAudio was asked")

    monkeypatch.setattr(ports.portaudio, "list_ports", never)
    device = opened("cable")
    device.prepare()
    try:
        assert device.name == device.reopen_name == "cable"
        assert device.latency_s == PERIODS * BLOCK / 48_000
        assert device.notices == ()
    finally:
        device.close()


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"input_channel": 3}, "input 3 of 'two': allowed are 1 to 2"),
        ({"output_channels": (1, 4)}, "output 4 of 'two': allowed are 1 to 2"),
    ],
)
def test_a_channel_that_the_card_has_not_is_refused(
    asoundrc: Config, wanted: dict[str, Any], text: str
) -> None:
    """With those that it has; nothing stays open."""
    asoundrc(
        """
        pcm.two {
            type multi
            slaves.a { pcm { type null } channels 2 }
            bindings.0 { slave a channel 0 }
            bindings.1 { slave a channel 1 }
            hint.show on
        }
        """
    )
    with pytest.raises(AudioError, match=text):
        opened("two", **wanted).prepare()


def test_a_name_that_alsa_does_not_know_is_an_error(asoundrc: Config) -> None:
    """With what there is."""
    asoundrc("pcm.quiet { type null hint { show on } }")
    with pytest.raises(AudioError, match=r"no device matches 'quite', did you mean 'quiet'\?"):
        opened("quite")
    with pytest.raises(AudioError, match="cannot be opened"):
        opened("hw:CARD=Nobody,DEV=0").prepare()


def test_two_devices_are_one_with_two_names(asoundrc: Config) -> None:
    """That their clocks drift is reported."""
    asoundrc(
        """
        pcm.left { type null hint { show on } }
        pcm.right { type null hint { show on } }
        """
    )
    device = opened("right", input_name="left")
    device.prepare()
    device.close()
    assert any("drift is not corrected" in notice for notice in device.notices)
    with pytest.raises(AudioError, match="no input matches 'lift', did you mean 'left'"):
        opened("right", input_name="lift")


def test_a_pcm_without_a_clock_is_refused(asoundrc: Config) -> None:
    """Its thread would never wait, and at real-time priority stop the machine."""
    asoundrc("pcm.quick { type null hint { show on } }")
    device = opened("quick")
    with pytest.raises(AudioError, match="'quick' has no clock"):
        device.start(lambda block, out, *, xrun: None)
    device.close()


def test_a_failure_can_be_waited_for(
    tmp_path: Path, asoundrc: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a descriptor that belongs to the device."""
    asoundrc(files(tmp_path))
    (tmp_path / "in.raw").write_bytes(bytes(4 * BLOCK))
    monkeypatch.setattr(device_module, "SHORTEST_TRIAL_S", 0.0)
    may_fail = threading.Event()

    def process(block: NDArray[np.float32], out: NDArray[np.float32], *, xrun: bool) -> None:
        time.sleep(0.001)
        if may_fail.is_set():
            raise ValueError("broken")

    device = opened("cable")
    assert device.failure_fd == -1
    device.start(process)
    try:
        assert select.select([device.failure_fd], [], [], 0.0)[0] == []
        may_fail.set()
        assert select.select([device.failure_fd], [], [], WAIT_S)[0] == [device.failure_fd]
        assert device.failure == "the device 'cable' failed: ValueError: broken"
    finally:
        device.close()
    assert device.failure_fd == -1
