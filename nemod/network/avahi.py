"""Publishes services through a running avahi-daemon, by its interface on the D-Bus system bus.

Avahi owns multicast DNS on most Linux machines: it follows interfaces that come and go, defends
the names and withdraws them when the connection to the bus ends, even if this process is killed.
The interface is described in avahi's `org.freedesktop.Avahi.Server.xml` and `EntryGroup.xml`.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nemod.common.errors import NemodError
from nemod.network.names import Names, Report
from nemod.network.services import Service

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus
    from dbus_fast.message import Message

AVAHI = "org.freedesktop.Avahi"
SERVER = "org.freedesktop.Avahi.Server"
GROUP = "org.freedesktop.Avahi.EntryGroup"
BUS = "org.freedesktop.DBus"
CALL_S = 5.0
"""[s] Longest wait for an answer."""
FREE_S = 0.5
"""[s] Longest wait for the withdrawal; avahi withdraws when the connection ends, too."""
MAX_NAMES = 100
"""Most names that are tried when all are taken."""


_ANY = -1
"""Any interface, any protocol: `AVAHI_IF_UNSPEC` and `AVAHI_PROTO_UNSPEC`."""
_SERVER_RUNNING = 2
_GROUP_ESTABLISHED, _GROUP_COLLISION, _GROUP_FAILURE = 2, 3, 4
_COLLISIONS = {f"{AVAHI}.CollisionError", f"{AVAHI}.LocalCollisionError"}


class AvahiError(NemodError):
    """The bus cannot be used, or avahi refuses."""


class _CollisionError(AvahiError):
    """Another service has the name."""


class Avahi:
    """A connection to the system bus that publishes through avahi. Thread: control."""

    def __init__(self, bus: "MessageBus") -> None:
        """`connect` makes one."""
        self.owner = ""
        """The bus name of the running avahi-daemon; empty where none runs."""
        self._bus = bus
        self._changed = asyncio.Event()
        self._is_lost = False
        self._server_state = 0
        self._group_states: dict[str, tuple[int, str]] = {}
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls) -> "Avahi":
        """Return a connection to the system bus.

        Raises: AvahiError where there is none.
        """
        from dbus_fast import BusType
        from dbus_fast.aio import MessageBus

        try:
            async with asyncio.timeout(CALL_S):
                avahi = cls(await MessageBus(bus_type=BusType.SYSTEM).connect())
        except Exception as error:
            # The library raises OSError, its own errors, and plain ones.
            raise AvahiError(f"no D-Bus system bus: {error or type(error).__name__}") from error
        avahi._watch = asyncio.create_task(avahi._watch_connection(), name="avahi-bus")
        avahi._bus.add_message_handler(avahi._handle)
        try:
            changes = f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{AVAHI}'"
            for rule in (changes, f"type='signal',sender='{AVAHI}',member='StateChanged'"):
                await avahi._call(BUS, "/org/freedesktop/DBus", BUS, "AddMatch", "s", rule)
            with suppress(AvahiError):  # nobody owns the name
                avahi.owner = await avahi._call(
                    BUS, "/org/freedesktop/DBus", BUS, "GetNameOwner", "s", AVAHI
                )
        except BaseException:
            await avahi.close()
            raise
        return avahi

    async def close(self) -> None:
        """Disconnect; avahi withdraws what is still published."""
        self._bus.disconnect()
        if self._watch:
            # A connection that was broken never reports that it is closed.
            await asyncio.wait({self._watch}, timeout=FREE_S)
            self._watch.cancel()

    async def wait_running(self, other_than: str = "") -> None:
        """Wait until an avahi-daemon runs, other than the one with this bus name.

        Raises: AvahiError when the connection to the bus ends.
        """
        while not self.owner or self.owner == other_than:
            if self._is_lost:
                raise AvahiError("the connection to the D-Bus system bus ended")
            self._changed.clear()
            await self._changed.wait()

    async def publish(self, services: Sequence[Service], name: str, report: Report) -> None:
        """Publish the services under this name, or the next free one, until avahi stops.

        `report` is called with the names once other machines can find them, and with None when they
        are about to change. Cancel to withdraw. Raises: AvahiError where avahi refuses.
        """
        owner = self.owner
        if not owner:
            return
        try:
            await self._publish(services, name, report, owner)
        except AvahiError:
            # A question that avahi does not answer because it stops is no refusal.
            if self.owner == owner:
                raise

    async def _publish(
        self,
        services: Sequence[Service],
        name: str,
        report: Report,
        owner: str,
    ) -> None:
        self._group_states.clear()
        self._server_state = 0
        server_state = int(await self._server("GetState"))
        # A signal that arrived meanwhile is newer than the answer.
        self._server_state = self._server_state or server_state
        group = str(await self._server("EntryGroupNew"))
        is_added = is_reported = False
        try:
            while self.owner == owner:
                self._changed.clear()
                state, reason = self._group_states.get(group, (0, ""))
                if state == _GROUP_COLLISION or (
                    is_added and self._server_state != _SERVER_RUNNING
                ):
                    # Another machine has the instance's name, or avahi changes the host's.
                    if state == _GROUP_COLLISION:
                        name = await self._alternative(name)
                    await self._reset(group)
                    is_added = is_reported = False
                    report(None)
                elif state == _GROUP_FAILURE:
                    raise AvahiError(f"avahi cannot publish: {reason}")
                elif self._server_state == _SERVER_RUNNING and not is_added:
                    name = await self._add(group, services, name)
                    is_added = True
                elif state == _GROUP_ESTABLISHED and not is_reported:
                    is_reported = True
                    report(Names(name, str(await self._server("GetHostNameFqdn"))))
                else:
                    await self._changed.wait()
        finally:
            if self.owner == owner:
                with suppress(AvahiError, TimeoutError):
                    async with asyncio.timeout(FREE_S):
                        await self._group(group, "Free")

    async def _add(self, group: str, services: Sequence[Service], name: str) -> str:
        """Add the services and commit; return the name that was free on this machine."""
        for _ in range(MAX_NAMES):
            try:
                for service in services:
                    # Flags, then the name; domain and host are empty: avahi's own.
                    address = (_ANY, _ANY, 0, name, service.type, "", "", service.port)
                    txt = service.txt_entries()
                    await self._group(group, "AddService", "iiussssqaay", *address, txt)
                await self._group(group, "Commit")
            except _CollisionError:
                await self._reset(group)
                name = await self._alternative(name)
            else:
                return name
        raise AvahiError(f"no name is free, up to {name!r}")

    async def _reset(self, group: str) -> None:
        await self._group(group, "Reset")
        self._group_states.pop(group, None)

    async def _alternative(self, name: str) -> str:
        return str(await self._server("GetAlternativeServiceName", "s", name))

    async def _server(self, member: str, signature: str = "", *values: object) -> Any:
        return await self._call(AVAHI, "/", SERVER, member, signature, *values)

    async def _group(self, path: str, member: str, signature: str = "", *values: object) -> Any:
        return await self._call(AVAHI, path, GROUP, member, signature, *values)

    async def _call(
        self, to: str, path: str, interface: str, member: str, signature: str, *values: object
    ) -> Any:
        """Return the first value of the answer, None where it has none; its type is D-Bus's own.

        Raises: AvahiError, and _CollisionError for a name that is taken.
        """
        from dbus_fast import Message, MessageFlag, MessageType

        try:
            message = Message(
                destination=to,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(values),
                # An avahi-daemon that the user stopped is not started.
                flags=MessageFlag.NO_AUTOSTART,
            )
            async with asyncio.timeout(CALL_S):
                reply = await self._bus.call(message)
        except Exception as error:
            raise AvahiError(f"{member}: {error or type(error).__name__}") from error
        if reply is None:
            raise AvahiError(f"{member}: the connection to the D-Bus system bus ended")
        if reply.message_type is MessageType.ERROR:
            text = f"{member}: {reply.body[0] if reply.body else reply.error_name}"
            raise (_CollisionError if reply.error_name in _COLLISIONS else AvahiError)(text)
        return reply.body[0] if reply.body else None

    def _handle(self, message: "Message") -> None:
        """Record what a signal says; those that other users of the bus send are ignored."""
        signal = (message.interface, message.member, message.signature)
        if signal == (BUS, "NameOwnerChanged", "sss") and message.body[0] == AVAHI:
            if message.sender == BUS:
                self.owner = message.body[2]
        elif message.sender != self.owner:
            return
        elif signal == (SERVER, "StateChanged", "is"):
            self._server_state = message.body[0]
        elif signal == (GROUP, "StateChanged", "is"):
            self._group_states[message.path or ""] = (message.body[0], message.body[1])
        else:
            return
        self._changed.set()

    async def _watch_connection(self) -> None:
        with suppress(Exception):  # how it ended makes no difference
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._is_lost = True
        self.owner = ""
        self._changed.set()
