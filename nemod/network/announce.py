"""Announces the daemon's services by multicast DNS, so that phones and OSCQuery clients list it.

Where an avahi-daemon runs, it publishes them; elsewhere the `zeroconf` library does. Both are
imported when they are needed. Nothing that goes wrong here stops the daemon: it is logged, and
clients then need host and port by hand.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import structlog

from nemod.network.avahi import Avahi, AvahiError
from nemod.network.interfaces import LocalAddress, local_addresses
from nemod.network.names import Names, host_label, host_name, instance_label
from nemod.network.services import Service

STOP_S = 1.0
"""[s] Longest time that the withdrawal takes."""
PATIENCE_S = 2.0
"""[s] How long avahi is waited for, at the start and when it restarts, before zeroconf is used."""
RETRY_S = 30.0
"""[s] Between tries to use the D-Bus system bus, or the port of multicast DNS."""


class Announced(NamedTuple):
    """What other machines find."""

    by: str
    """`avahi` or `zeroconf`."""
    instance: str
    """Instance name of the services, as `nemod on pi`."""
    host: str
    """Host name by multicast DNS, as `pi.local`."""


class Announcer:
    """Announces services until it is stopped. Thread: control, inside a running event loop."""

    def __init__(
        self,
        services: Sequence[Service],
        name: str = "",
        *,
        host: str = "",
        addresses: Callable[[], Iterable[LocalAddress]] = local_addresses,
        patience_s: float = PATIENCE_S,
        poll_s: float | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        """Default of `name` is `nemod on <host>`, of `host` (used without avahi) the machine's.

        Raises: ValueError for a service that DNS-SD cannot carry.
        """
        for service in services:
            service.check()
        self.announced: Announced | None = None
        """What is announced now; None until it is, and after `stop`."""
        self._services = tuple(services)
        self._name = instance_label(name or f"nemod on {host_name()}")
        self._host = host_label(host or host_name())
        self._addresses = addresses
        self._patience_s = patience_s
        self._poll_s = poll_s
        self._retry_s = retry_s
        self._avahi: Avahi | None = None
        self._task: asyncio.Task[None] | None = None
        self._publisher: asyncio.Task[None] | None = None
        self._warned = ""
        self._is_without_bus = False
        self._log = structlog.get_logger("nemod.network")

    @property
    def host(self) -> str:
        """Host name by multicast DNS, as `pi.local`; empty while nothing is announced.

        Where another machine has that name, it is not the machine's own: `pi-2.local`.
        """
        return self.announced.host if self.announced else ""

    async def start(self) -> None:
        """Begin to announce, in the background; it takes about two seconds until all is checked."""
        if self._services and self._task is None:
            self._task = asyncio.create_task(self._run(), name="mdns")

    async def stop(self) -> None:
        """Withdraw what is announced; takes at most a second."""
        if self._task is not None:
            self._task.cancel()
            running = {task for task in (self._task, self._publisher) if task is not None}
            await asyncio.wait(running, timeout=STOP_S)
            self._task = None
        self.announced = None

    async def _run(self) -> None:
        try:
            await self._announce()
        except Exception as error:
            self._log.exception("mdns.failed", exc_info=error)
        finally:
            await self._disconnect()

    async def _announce(self) -> None:
        refused_by = ""
        while True:
            avahi = await self._find_avahi_soon(refused_by) or await self._use_zeroconf(refused_by)
            try:
                await avahi.publish(self._services, self._name, partial(self._report, "avahi"))
                refused_by = ""
            except AvahiError as error:
                refused_by = avahi.owner
                self._warn("avahi refuses to announce; zeroconf is used instead", error)
            self.announced = None

    async def _find_avahi_soon(self, refused_by: str) -> Avahi | None:
        if refused_by:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                return await self._find_avahi("")
        return None

    async def _find_avahi(self, refused_by: str) -> Avahi:
        """Wait until an avahi-daemon runs, other than the one that refused."""
        while True:
            try:
                if self._avahi is None:
                    self._avahi = await Avahi.connect()
                await self._avahi.wait_running(refused_by)
            except AvahiError as error:
                if not self._is_without_bus:
                    self._is_without_bus = True
                    self._log.debug("mdns.no_avahi", reason=str(error))
                await self._disconnect()
                await asyncio.sleep(self._retry_s)
            else:
                self._is_without_bus = False
                return self._avahi

    async def _disconnect(self) -> None:
        avahi, self._avahi = self._avahi, None
        if avahi is not None:
            await avahi.close()

    async def _use_zeroconf(self, refused_by: str) -> Avahi:
        """Announce with zeroconf until an avahi-daemon runs."""
        self._publisher = asyncio.create_task(self._publish_by_zeroconf(), name="mdns-zeroconf")
        try:
            return await self._find_avahi(refused_by)
        finally:
            self._publisher.cancel()
            # Returns after the goodbyes, so that avahi does not find the name taken.
            await asyncio.wait({self._publisher})
            self.announced = None

    async def _publish_by_zeroconf(self) -> None:
        from nemod.network import zeroconf_announcer

        poll_s = zeroconf_announcer.POLL_S if self._poll_s is None else self._poll_s
        while True:
            try:
                await zeroconf_announcer.publish(
                    self._services,
                    self._name,
                    self._host,
                    partial(self._report, "zeroconf"),
                    addresses=self._addresses,
                    poll_s=poll_s,
                )
            except Exception as error:
                # The library raises OSError, its own errors, and others for odd networks.
                self._warn("the network cannot be used for announcements", error)
                self.announced = None
            await asyncio.sleep(self._retry_s)

    def _report(self, by: str, names: Names | None) -> None:
        announced = Announced(by, *names) if names else None
        if announced and announced != self.announced:
            self._warned = ""
            types = " ".join(service.type for service in self._services)
            self._log.info("mdns.announced", services=types, **announced._asdict())
        self.announced = announced

    def _warn(self, what: str, error: Exception) -> None:
        """Log a problem once, not each time that it is met again."""
        text = f"{what}: {error or type(error).__name__}"
        if text != self._warned:
            self._warned = text
            self._log.warning("mdns.problem", reason=text)
