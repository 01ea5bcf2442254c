"""Waits for a device that is disconnected: woken by the kernel, and by a clock that backs off.

Cards are looked for in /proc/asound, which takes a millisecond and opens nothing. What that does
not show (JACK, plug-ins, and everything where ALSA's tables are hidden) is looked for by a process
of its own (`nemod.daemon.device_probe`), but not for a device that was a card when it was open: the
process starts PortAudio, which opens every card to see what it can do, and so may take the card
just when it is back.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from nemod.common.errors import AudioError
from nemod.daemon.device_probe import is_connected
from nemod.engine.devices.alsa.cards import PROC, SYS, list_pcms, nodes
from nemod.engine.devices.alsa.hotplug import DEV, CardWatch
from nemod.engine.devices.alsa.listing import card_ports
from nemod.engine.devices.names import Port, choose, choose_one
from nemod.engine.ipc import DeviceRequest

PROBE_LIMIT_S = 15.0
"""[s] Longest time that a probe may take."""
SETTLE_S = 0.01
"""[s] From an event to the look at the cards: several nodes appear at once."""


class DeviceWait:
    """Looks for one device. Thread: control, with a loop."""

    def __init__(self, dev: Path = DEV, proc: Path = PROC, sys: Path = SYS) -> None:
        """Begin to watch for cards at once, so that no event between two waits is missed."""
        self._dev, self._proc, self._sys = dev, proc, sys
        self._watch = CardWatch(dev)

    def close(self) -> None:
        """Stop watching."""
        self._watch.close()

    async def until_connected(
        self, request: DeviceRequest, limit_s: float, *, is_card: bool
    ) -> bool:
        """Return True when the device is there, False if it is not after `limit_s` [s].

        A card that appears is noticed at once; all else is looked for at the end. `is_card`: it was
        a card when it was open, so nothing else is looked for.
        """
        if await self._card_appears(request, limit_s) or self.is_card_there(request):
            return True
        return not is_card and await self._is_found(request)

    async def _is_found(self, request: DeviceRequest) -> bool:
        """Return whether a process finds the device; a card that appears ends the process."""
        probe = asyncio.create_task(is_connected(request, PROBE_LIMIT_S))
        card = asyncio.create_task(self._card_appears(request, PROBE_LIMIT_S))
        try:
            await asyncio.wait({probe, card}, return_when=asyncio.FIRST_COMPLETED)
            return any(task.done() and task.result() for task in (probe, card))
        finally:
            probe.cancel()
            card.cancel()
            await asyncio.wait({probe, card})

    async def _card_appears(self, request: DeviceRequest, limit_s: float) -> bool:
        """Return whether the device is a card that appears within `limit_s` [s]."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit_s
        while (left_s := end - loop.time()) > 0.0:
            if await self._event(left_s):
                await asyncio.sleep(SETTLE_S)
                self._watch.read()
                if self.is_card_there(request):
                    return True
        return False

    async def _event(self, limit_s: float) -> bool:
        """Wait for an event of a sound card; return whether there was one in time."""
        loop = asyncio.get_running_loop()
        happened = asyncio.Event()
        if self._watch.fd >= 0:
            loop.add_reader(self._watch.fd, lambda: happened.set() if self._watch.read() else None)
        try:
            async with asyncio.timeout(limit_s):
                await happened.wait()
        except TimeoutError:
            return False
        finally:
            if self._watch.fd >= 0:
                loop.remove_reader(self._watch.fd)
        return True

    def is_card_there(self, request: DeviceRequest) -> bool:
        """Return whether the device is a card, and this user may open it."""
        ports = card_ports(self._proc, self._sys)
        for name in filter(None, (request.last_name, request.name)):
            with suppress(AudioError):
                return all(map(self._may_open, self._ports(request, name, ports)))
        return False

    @staticmethod
    def _ports(request: DeviceRequest, name: str, ports: list[Port]) -> tuple[Port, Port]:
        if not request.input_name:
            return choose(name, ports)
        return choose_one(request.input_name, ports, "input"), choose_one(name, ports, "output")

    def _may_open(self, port: Port) -> bool:
        for pcm in list_pcms(self._proc, self._sys):
            if pcm.alsa_name == port.pcm:
                return all(os.access(node, os.R_OK | os.W_OK) for node in nodes(pcm, self._dev))
        return False
