"""The PortAudio device: channels, and the machine without PortAudio."""

import builtins
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nemod.common.errors import AudioError
from nemod.engine.devices import portaudio
from nemod.engine.devices.names import Port
from nemod.engine.devices.portaudio import Stream, list_ports, with_card_id
from nemod.engine.ipc import DeviceRequest
from tests.engine.devices.test_names import ALSA, ports


def stream(source: Port | None, sink: Port, **wanted: Any) -> Stream:
    return Stream(source, sink, DeviceRequest(name="x", **wanted), 48_000)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"input_channel": 3}, "input 3 of 'Two': allowed are 1 to 2"),
        ({"output_channels": (3,)}, "output 3 of 'Two': allowed are 1 to 2"),
        ({"output_channels": (1, 5)}, "output 5 of 'Two': allowed are 1 to 2"),
    ],
)
def test_a_channel_that_the_device_has_not_is_refused(wanted: dict[str, Any], text: str) -> None:
    """Before anything is opened."""
    (two,) = ports(("Two", ALSA, 2, 2))
    with pytest.raises(AudioError, match=re.escape(text)):
        stream(two, two, **wanted)


@pytest.mark.parametrize(
    ("outputs", "wanted", "expected"),
    [(8, (), [0, 1]), (2, (), [0, 1]), (1, (), [0]), (8, (7, 3), [6, 2])],
)
def test_sound_goes_to_the_first_two_channels_unless_told(
    outputs: int, wanted: tuple[int, ...], expected: list[int]
) -> None:
    """Or to the only one."""
    (sink,) = ports(("Out", ALSA, 0, outputs))
    assert stream(None, sink, output_channels=wanted)._outputs == expected


class FakeStream:
    """Stands for a PortAudio stream; keeps its callback."""

    callback: Any = None

    def __init__(self, *, callback: Any, **_given: Any) -> None:
        FakeStream.callback = staticmethod(callback)

    def start(self) -> None: ...

    def close(self, ignore_errors: bool = True) -> None: ...


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [((), [1, 1, 0, 0]), ((3,), [0, 0, 1, 0]), ((4, 2), [0, 2, 0, 1])],
    ids=["first two", "one", "left and right"],
)
def test_outputs_reach_their_channels(
    wanted: tuple[int, ...], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mono is the same on the first two; of two the first is left and the second is right."""
    (sink,) = ports(("Out", ALSA, 0, 4))
    given = stream(None, sink, output_channels=wanted, block_frames=8)
    module = SimpleNamespace(OutputStream=FakeStream, PortAudioError=RuntimeError)
    monkeypatch.setattr(portaudio, "_sounddevice", lambda: module)

    def process(block: Any, out: Any, *, xrun: bool) -> None:
        out[:] = 1.0 if out.ndim == 1 else np.array([[1.0], [2.0]])

    given.start(process)
    played = np.full((16, 4), 9.0, np.float32)
    FakeStream.callback(played, 16, None, None)
    assert np.array_equal(played, np.broadcast_to(np.array(expected, np.float32), (16, 4)))


def test_without_portaudio_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the devices that work all the same."""
    real = builtins.__import__

    def without(name: str, *more: Any, **also: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *more, **also)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AudioError, match=r"apt install libportaudio2.*'demo' and 'null'"):
        list_ports()


def test_a_card_has_the_id_that_alsa_gives_it(tmp_path: Path) -> None:
    """As in /proc/asound; what is on no card has none."""
    (tmp_path / "card2").mkdir()
    (tmp_path / "card2" / "id").write_text("U192k\n")
    rows = ports(
        ("USB: Audio (hw:2,0)", ALSA, 2, 2), ("USB (hw:3,0)", ALSA, 2, 2), ("x", ALSA, 1, 1)
    )
    assert [with_card_id(port, tmp_path).card_id for port in rows] == ["U192k", "", ""]
