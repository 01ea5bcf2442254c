"""Which devices the bindings need, for a service that may use no others."""

import grp
from pathlib import Path

from nemod.config.options import MidiConfig
from nemod.midi.sources.lazy import has_keys, has_pins
from nemod.midi.store import BindingStore

INPUT, PINS = "char-input", "char-gpiochip"
"""Kinds of devices, as the kernel calls them."""


def controller_devices(config: MidiConfig, default: Path) -> dict[str, str]:
    """Return devices as systemd's `DeviceAllow` names them, each with the group that may use it.

    `default` is the file of bindings where the configuration names none. The group is empty where
    this machine has none of the usual name. ALSA's devices are not among them.
    """
    if config.enable is False:
        return {}
    file = BindingStore(config.bindings or default).load()
    devices: dict[str, str] = {}
    if has_keys(file.bindings, file.inputs):
        devices[INPUT] = _group("input")
    if has_pins(file.bindings, file.inputs):
        devices[PINS] = _group("gpio")
    for path in config.raw:
        devices[str(path)] = _owner(path)
    return devices


def _group(name: str) -> str:
    try:
        return grp.getgrnam(name).gr_name
    except KeyError:
        return ""


def _owner(path: Path) -> str:
    """Return the group of a file; empty where that is unknown, or root's."""
    try:
        name = path.group()
    except (OSError, KeyError):
        return ""
    return "" if name == "root" else name
