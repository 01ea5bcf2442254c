"""The OSC server: starts and ends all transports, which share one receiver and one dispatcher."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import structlog

from nemod.common.timers import LoopTimers
from nemod.control.controller import Controller
from nemod.network.access import Access
from nemod.network.sockets import PORT_TRIES, PortError
from nemod.osc import neuralpi
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.connection import ConnectionLimits
from nemod.osc.counters import Counters
from nemod.osc.dispatcher import Dispatcher
from nemod.osc.encode import encode
from nemod.osc.feedback.feedback import Feedback
from nemod.osc.limits import LOOPBACK_MESSAGES_PER_S, MESSAGES_PER_S
from nemod.osc.receiver import Receiver
from nemod.osc.tcp import TcpTransport
from nemod.osc.udp import UdpTransport

DEFAULT_PORT = 9000

_log = structlog.get_logger("nemod.osc")


class Compatible(NamedTuple):
    """A program whose addresses nemod can serve."""

    port: int
    """Its UDP port."""
    leaves: Callable[[], list[Leaf]]


COMPATIBLE: Mapping[str, Compatible] = {
    "neuralpi": Compatible(neuralpi.PORT, neuralpi.neuralpi_leaves)
}
"""By the names that `compat` takes."""


class OscServer:
    """The OSC surface. Thread: control, inside a running event loop."""

    def __init__(
        self,
        controller: Controller,
        port: int = DEFAULT_PORT,
        *,
        local: bool = False,
        allow: Sequence[str] = (),
        allow_write: Sequence[str] = (),
        targets: Sequence[tuple[str, int]] = (),
        messages_per_s: float = MESSAGES_PER_S,
        loopback_messages_per_s: float = LOOPBACK_MESSAGES_PER_S,
        compat: Sequence[str] = (),
        connection_limits: ConnectionLimits | None = None,
    ) -> None:
        """Port 0 takes a free one.

        `local` and `allow`: which hosts are served. `allow_write`: which may delete and upload.
        `targets`: addresses and ports that are sent every change, without asking.
        `compat`: other programs whose addresses are served, too, on their own UDP ports; one of
        the names in `COMPATIBLE`.

        Raises: ConfigError for an entry of `allow` or `allow_write` that is not a network.
        """
        self.port = port
        self.counters = Counters()
        timers = LoopTimers(lambda work: self.receiver.guard(work))
        programs = {name: COMPATIBLE[name] for name in compat}
        more_leaves = [leaf for program in programs.values() for leaf in program.leaves()]
        self.dispatcher = Dispatcher(controller, self.counters, timers, more_leaves=more_leaves)
        self.receiver = Receiver(
            self.dispatcher,
            self.counters,
            messages_per_s=messages_per_s,
            loopback_messages_per_s=loopback_messages_per_s,
            allow_write=allow_write,
        )
        access = Access(local=local, allow=allow)
        self._udp = UdpTransport(self.receiver, access, is_local=local)
        self._compat = [
            (
                name,
                program.port,
                UdpTransport(self.receiver, access, is_local=local, gets_echoes=False),
            )
            for name, program in programs.items()
        ]
        self.compat_ports: dict[str, int] = {}
        """UDP ports that are open for other programs' addresses, by the program's name."""
        self._tcp = TcpTransport(
            self.receiver,
            access,
            is_local=local,
            limits=connection_limits,
            has_jobs=self.dispatcher.jobs.has_open,
            has_lease=self.feedback.has_lease,
            forget=self.feedback.forget,
        )
        self._targets = targets

    async def start(self) -> None:
        """Open the transports; from now on `port` is the one that is used.

        A port of `compat` that cannot be opened is a warning.

        Raises: PortError where the port is taken or may not be used.
        """
        for attempt in range(PORT_TRIES):
            port = self._udp.open(self.port)
            try:
                await self._tcp.open(port)
            except PortError:
                self._udp.close()
                # A free port for UDP may be taken for TCP: then another one will do.
                if self.port or attempt == PORT_TRIES - 1:
                    raise
            else:
                self.port = port
                break
        for name, compat_port, transport in self._compat:
            try:
                self.compat_ports[name] = transport.open(compat_port)
            except PortError as error:
                _log.warning(
                    "osc.no_compat_port", program=name, port=compat_port, reason=error.reason
                )
        for host, target_port in self._targets:
            target = self._udp.sender_to(host, target_port)
            if target is not None:
                self.feedback.add_permanent(target)

    async def close(self) -> None:
        """Send `/nemo/bye` to recent clients and subscribers, and close the transports."""
        known = [*self._udp.senders(), *self._tcp.senders(), *self.feedback.senders()]
        for sender in {sender.destination: sender for sender in known}.values():
            sender.send(encode("/nemo/bye"))
        self.dispatcher.close()
        self._udp.close()
        for _, _, transport in self._compat:
            transport.close()
        await self._tcp.close()

    @property
    def feedback(self) -> Feedback:
        """What sends clients the changes of the rig."""
        return self.dispatcher.feedback
