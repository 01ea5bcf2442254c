"""Events of sound cards, from the kernel's own inotify in a folder that stands for /dev."""

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemod.engine.devices.alsa.hotplug import CardWatch

SOON_S = 5.0


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[CardWatch]:
    made = CardWatch(tmp_path)
    yield made
    made.close()


def is_reported(watch: CardWatch) -> bool:
    """Return whether the next event is one of a sound card."""
    assert select.select([watch.fd], [], [], SOON_S)[0]
    return watch.read()


def test_a_card_that_appears_or_disappears_or_may_be_opened_is_reported(tmp_path: Path) -> None:
    """The group of a node is changed by udev after the kernel has made it."""
    (tmp_path / "snd").mkdir()
    watch = CardWatch(tmp_path)
    try:
        node = tmp_path / "snd/pcmC1D0p"
        node.touch()
        assert is_reported(watch)
        node.chmod(0o600)
        assert is_reported(watch)
        node.unlink()
        assert is_reported(watch)
    finally:
        watch.close()


def test_the_first_sound_module_is_reported(watch: CardWatch, tmp_path: Path) -> None:
    """Before it is loaded there is no /dev/snd; what comes into that is reported, too."""
    (tmp_path / "snd").mkdir()
    assert is_reported(watch)
    (tmp_path / "snd/controlC0").touch()
    assert is_reported(watch)


def test_other_nodes_are_not_reported(watch: CardWatch, tmp_path: Path) -> None:
    """Terminals and disks come and go."""
    (tmp_path / "ttyUSB0").touch()
    assert not is_reported(watch)
    assert not watch.read()
