"""PCMs of libasound that need no sound card."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nemod.engine.devices import portaudio
from nemod.engine.devices.alsa import library


@pytest.fixture
def asoundrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return a function that makes a text the whole configuration of ALSA.

    PortAudio, which aborts where the rest of the configuration is missing, lists nothing.
    """
    monkeypatch.setattr(portaudio, "list_ports", list)
    path = tmp_path / "asound.conf"
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(path))

    def write(text: str) -> None:
        path.write_text(text)
        library.load().lib.snd_config_update_free_global()

    yield write
    library.load().lib.snd_config_update_free_global()
