"""`nemod models` and `nemod devices`."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from nemod.engine.devices import portaudio
from nemod.engine.devices.portaudio import Port
from nemod.formats.save import save_model
from nemod.library import shipped_folder
from tests.cli.conftest import Nemod
from tests.engine.conftest import tiny


def test_the_models_that_ship_are_listed(nemod: Nemod) -> None:
    """At least one of each kind, by the name that --model takes."""
    outcome = nemod("models")
    assert (outcome.status, outcome.err) == (0, "")
    shipped = [path.stem for path in shipped_folder().glob("*.json")]
    assert shipped
    assert [name for name in shipped if name not in outcome.out] == []
    assert "LSTM" in outcome.out
    assert "GRU" in outcome.out


def test_names_stay_whole_on_a_narrow_terminal(
    nemod: Nemod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are there to be copied."""
    monkeypatch.setenv("COLUMNS", "80")
    name = "a-name-that-is-rather-long-2026"
    save_model(tiny(), tmp_path / f"{name}.json")
    assert name in nemod("models", "--library", tmp_path).out


def test_a_library_of_ones_own_is_listed_with_what_cannot_be_played(
    nemod: Nemod, tmp_path: Path
) -> None:
    """Refused files keep their place and say why; brackets are no markup."""
    save_model(tiny("GRU", 2), tmp_path / "amp [red] one.json")
    (tmp_path / "broken.json").write_text("{")
    outcome = nemod("models", "--library", tmp_path)
    assert outcome.status == 0
    assert "amp [red] one" in outcome.out
    assert "gain, tone" in outcome.out
    assert "refused: line 1 column 2" in outcome.out


def test_cards_are_listed_with_the_devices_that_need_none(
    nemod: Nemod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the names that --device takes."""
    card = Port(
        index=0, name="USB [x] (hw:1,0)", host_api="ALSA", inputs=1, outputs=2, rate_hz=44_100
    )
    monkeypatch.setattr("nemod.cli.listing.list_ports", lambda: [card])
    outcome = nemod("devices")
    assert (outcome.status, outcome.err) == (0, "")
    for text in ("USB [x] (hw:1,0)", "ALSA", "44100 Hz", "demo", "null"):
        assert text in outcome.out


def test_without_portaudio_the_rest_is_listed_and_the_remedy_told(
    nemod: Nemod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status tells that something is missing."""
    real = builtins.__import__

    def without(name: str, *more: Any, **also: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *more, **also)

    monkeypatch.setattr(builtins, "__import__", without)
    outcome = nemod("devices")
    assert outcome.status == 1
    assert "demo" in outcome.out
    assert "null" in outcome.out
    assert "PortAudio is not installed" in outcome.err
    assert portaudio.REMEDY in outcome.err


@pytest.mark.portaudio
def test_devices_are_asked_of_portaudio_itself(nemod: Nemod) -> None:
    """Whatever it finds here, even nothing."""
    outcome = nemod("devices")
    assert (outcome.status, outcome.err) == (0, "")
