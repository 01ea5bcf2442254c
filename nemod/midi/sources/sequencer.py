"""MIDI ports of the ALSA sequencer, with alsa-midi. Thread: control, inside a running event loop.

All controllers are connected as they come: ports of the kernel (USB, DIN, virtual ones), and ports
of programs that call themselves hardware (Bluetooth). Other programs can connect to the port of
nemod (`aconnect`).
"""

import asyncio
import errno
from collections.abc import Sequence
from typing import Any

import alsa_midi
import structlog
from alsa_midi.client import ClientType, SequencerClientBase

from nemod.common.timers import Timer, Timers
from nemod.midi.binding import Binding
from nemod.midi.messages import CLOCK, MAX_14_BIT, Kind, Message, Port
from nemod.midi.sources.base import (
    SEQUENCER_REMEDY,
    Receiver,
    Send,
    SourceError,
    check_sequencer,
)

_ANNOUNCE = alsa_midi.Address(0, 1)
"""The port of the system that announces others."""
_THROUGH = "Midi Through"
"""What is sent to this client comes back from it, so it is no controller."""
_MAX_EVENTS = 512
"""Events that are read at once; then others have their turn."""
_POOL = 2_000
"""Events that the kernel keeps for us: 0.2 s of a controller that sends 10,000 a second."""
_SETTLE_S = 0.02
"""[s] A device announces its client before its ports have their names."""
_BEND_MIDDLE = 8192
_WHAT = "the ALSA sequencer"

log = structlog.get_logger("nemod")


class Sequencer:
    """Every controller that the sequencer knows."""

    def __init__(self, receiver: Receiver, timers: Timers, name: str = "nemod") -> None:
        """Connect to all controllers. Raises: SourceError where there is no sequencer."""
        self._receiver = receiver
        self._timers = timers
        self._ports: dict[tuple[int, int], Port] = {}
        """Connected controllers by client and port."""
        self._strangers: dict[tuple[int, int], Port] = {}
        """Programs that have connected themselves to our port."""
        self._lost = 0
        self._timer: Timer | None = None
        self._more: asyncio.Handle | None = None
        """What reads on after a piece of many events."""
        check_sequencer()
        try:
            self._client = SequencerClientBase(name)
        except alsa_midi.ALSAError as error:
            raise SourceError(f"{_WHAT} cannot be opened ({error}); {SEQUENCER_REMEDY}") from None
        try:
            self._client.set_client_pool_input(_POOL)
            kind = alsa_midi.PortType.MIDI_GENERIC | alsa_midi.PortType.APPLICATION
            caps = alsa_midi.WRITE_PORT | alsa_midi.READ_PORT
            self._own = self._client.create_port("control", caps, kind)
            self._client.subscribe_port(_ANNOUNCE, self._own)
            self._look()
        except alsa_midi.ALSAError as error:
            self._client.close()
            raise SourceError(f"{_WHAT} cannot be used ({error}); {SEQUENCER_REMEDY}") from None
        # The client has one descriptor; its own asynchronous class takes one event a turn.
        self._fd: int = self._client._fd
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._read)

    def use(self, bindings: Sequence[Binding], inputs: Sequence[str]) -> None:
        """Change nothing: all controllers are connected, whether they are bound or not."""

    def close(self) -> None:
        """Leave the sequencer."""
        self._loop.remove_reader(self._fd)
        if self._more is not None:
            self._more.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._client.close()

    def _read(self) -> None:
        """Deliver what has arrived."""
        batch: list[tuple[Port, Message]] = []
        for _ in range(_MAX_EVENTS):
            try:
                event: Any = self._client.event_input()
            except alsa_midi.ALSAError as error:
                if error.errnum == -errno.ENOSPC:
                    self._note_lost()
                    continue
                if error.errnum != -errno.EAGAIN:
                    self._fail(error)
                break
            except ValueError:  # a program has sent a note that MIDI does not have
                continue
            if event.source == _ANNOUNCE or event.type in _ANNOUNCEMENTS:
                self._look_soon()
                continue
            address = event.source.client_id, event.source.port_id
            port = self._ports.get(address) or self._strangers.get(address)
            if port is None:
                port = self._stranger(address)
            message = as_message(event)
            if message is not None and port is not None:
                batch.append((port, message))
        else:
            # The library may have taken more from the kernel, which then has nothing to tell.
            self._more = self._loop.call_soon(self._read)
        if batch:
            self._receiver.received(batch)

    def _note_lost(self) -> None:
        self._lost += 1
        if self._lost == 1:
            log.warning("MIDI messages lost: a controller sends more than can be taken")

    def _fail(self, error: Exception) -> None:
        """End: an error of the sequencer comes back at once, for ever."""
        self._loop.remove_reader(self._fd)
        log.error("MIDI ended", reason=str(error))
        for port in (*self._ports.values(), *self._strangers.values()):
            self._receiver.disconnected(port)
        self._ports.clear()
        self._strangers.clear()

    # --- ports -----------------------------------------------------------------------------------

    def _look_soon(self) -> None:
        if self._timer is None:
            self._timer = self._timers.later(_SETTLE_S, self._looked)

    def _looked(self) -> None:
        self._timer = None
        try:
            self._look()
        except alsa_midi.ALSAError as error:  # a device that came and went meanwhile
            log.warning("MIDI ports not read", reason=str(error))

    def _look(self) -> None:
        """Connect what is new, and forget what is gone."""
        found = {
            (info.client_id, info.port_id): info
            for info in self._client.list_ports(input=True)
            if self._is_controller(info)
        }
        for address in [address for address in self._ports if address not in found]:
            self._receiver.disconnected(self._ports.pop(address))
        for address in [one for one in self._strangers if self._names(one) is None]:
            self._receiver.disconnected(self._strangers.pop(address))
        for address, info in sorted(found.items(), key=lambda entry: entry[0]):
            if address not in self._ports:
                self._connect(address, info)

    def _is_controller(self, info: Any) -> bool:
        if info.client_id == self._client.client_id or info.client_name == _THROUGH:
            return False
        is_hardware = bool(info.type & alsa_midi.PortType.HARDWARE)
        return is_hardware or self._is_of_kernel(info.client_id)

    def _is_of_kernel(self, client_id: int) -> bool:
        try:
            kind = self._client.get_client_info(client_id).type
        except alsa_midi.ALSAError:
            return False
        return bool(kind == ClientType.KERNEL)

    def _connect(self, address: tuple[int, int], info: Any) -> None:
        try:
            self._client.subscribe_port(address, self._own)
        except alsa_midi.ALSAError as error:
            log.warning("MIDI port not connected", port=info.name, reason=str(error))
            return
        port = self._ports[address] = self._named(address[0], info)
        can_send = alsa_midi.WRITE_PORT in info.capability and self._open_output(address)
        self._receiver.connected(port, self._sender(address) if can_send else None)

    def _open_output(self, address: tuple[int, int]) -> bool:
        """Subscribe a port to ours: the kernel opens the device's output for subscribers only."""
        try:
            self._client.subscribe_port(self._own, address)
        except alsa_midi.ALSAError as error:  # another program may have it for itself
            log.info("MIDI port takes no messages", port=str(address), reason=str(error))
            return False
        return True

    def _named(self, client_id: int, info: Any) -> Port:
        """Return the names of a port; of two devices alike, the second has a number."""
        others = {known.device for address, known in self._ports.items() if address[0] != client_id}
        device, number = info.client_name, 1
        while device in others:
            number += 1
            device = f"{info.client_name} #{number}"
        return Port(device, info.name)

    def _stranger(self, address: tuple[int, int]) -> Port | None:
        """Return the port of a program that has connected itself to ours."""
        port = self._names(address)
        if port is not None:
            self._strangers[address] = port
            self._receiver.connected(port, None)
        return port

    def _names(self, address: tuple[int, int]) -> Port | None:
        """Return the names of a port; None for one that does not exist."""
        try:
            info = self._client.get_port_info(address)
            return Port(self._client.get_client_info(address[0]).name, info.name)
        except alsa_midi.ALSAError:
            return None

    def _sender(self, address: tuple[int, int]) -> Send:
        def send(message: Message) -> None:
            event = as_event(message)
            if event is None:
                return
            try:
                # alsa-midi 1.0.4 buffers what it calls direct, too.
                self._client.event_output(event, port=self._own, dest=address)
                self._client.drain_output()
            except alsa_midi.ALSAError as error:
                self._client.drop_output_buffer()  # or it would be tried again before the next one
                log.debug("MIDI not sent", reason=str(error))

        return send


_ANNOUNCEMENTS = (
    alsa_midi.EventType.CLIENT_START,
    alsa_midi.EventType.CLIENT_EXIT,
    alsa_midi.EventType.CLIENT_CHANGE,
    alsa_midi.EventType.PORT_START,
    alsa_midi.EventType.PORT_EXIT,
    alsa_midi.EventType.PORT_CHANGE,
    alsa_midi.EventType.PORT_SUBSCRIBED,
    alsa_midi.EventType.PORT_UNSUBSCRIBED,
)


def as_message(event: Any) -> Message | None:
    """Return an event of the sequencer as a message; None for what controls nothing."""
    match event.type:
        case alsa_midi.EventType.CONTROLLER:
            return _limited(Kind.CC, event, event.param, event.value)
        case alsa_midi.EventType.NOTEON:
            return _limited(Kind.NOTE, event, event.note, event.velocity)
        case alsa_midi.EventType.NOTEOFF:
            return _limited(Kind.NOTE, event, event.note, 0)
        case alsa_midi.EventType.PGMCHANGE:
            return _limited(Kind.PROGRAM, event, event.value, 127)
        case alsa_midi.EventType.CHANPRESS:
            return _limited(Kind.PRESSURE, event, 0, event.value)
        case alsa_midi.EventType.PITCHBEND:
            value = min(max(event.value + _BEND_MIDDLE, 0), MAX_14_BIT)
            return Message(Kind.BEND, (event.channel & 15) + 1, 0, value)
        case alsa_midi.EventType.CLOCK:
            return CLOCK
        case _:
            return None


def _limited(kind: Kind, event: Any, number: int, value: int) -> Message:
    """Return a message with numbers of MIDI: programs can put anything into an event."""
    return Message(kind, (event.channel & 15) + 1, number & 127, min(max(value, 0), 127))


def as_event(message: Message) -> Any:
    """Return a message as an event of the sequencer; None for one that has none."""
    channel = (message.channel or 1) - 1
    match message.kind:
        case Kind.CC:
            return alsa_midi.ControlChangeEvent(channel, message.number, message.value)
        case Kind.NOTE:
            return alsa_midi.NoteOnEvent(message.number, channel, message.value)
        case Kind.BEND:
            return alsa_midi.PitchBendEvent(channel, message.value - _BEND_MIDDLE)
        case _:
            return None
