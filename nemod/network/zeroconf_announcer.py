"""Announces services by multicast DNS without avahi, with the `zeroconf` library.

The library answers questions on the addresses that it is given. What RFC 6762 asks for besides is
here: another host name and another instance name where one is taken, also later, and a new start
when the machine's addresses change.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from nemod.network.interfaces import LocalAddress
from nemod.network.names import Names, Report, alternative_host, alternative_instance
from nemod.network.services import Service
from nemod.network.zeroconf_conflicts import Defence, find_taken

POLL_S = 3.0
"""[s] How often the machine's addresses are compared with those that are announced."""
MAX_NAMES = 100
"""Most names that are tried when all are taken."""
QUICK_TRIES, SLOW_TRY_S = 15, 5.0
"""Tries without a pause, and the pause [s] after each further one (RFC 6762, section 8.1)."""

# Its warnings are repeated in our own log, without traces.
logging.getLogger("zeroconf").setLevel(logging.CRITICAL)


class NoFreeNameError(Exception):
    """All names that were tried are taken."""


def announced_addresses(found: Iterable[LocalAddress]) -> list[LocalAddress]:
    """Return the addresses to announce: all but loopback, or 127.0.0.1 where there is no other."""
    every = sorted(set(found), key=lambda local: (local.address.version, local.address.packed))
    reachable = [local for local in every if not local.address.is_loopback]
    return reachable or [local for local in every if str(local.address) == "127.0.0.1"]


async def publish(
    services: Sequence[Service],
    name: str,
    host: str,
    report: Report,
    *,
    addresses: Callable[[], Iterable[LocalAddress]],
    poll_s: float = POLL_S,
) -> None:
    """Announce the services under these names, or the next free ones, until cancelled.

    `report` is called with the names each time they have been announced, and with None while there
    is no network or another machine has taken a name. Cancel to withdraw; this sends goodbyes for
    a quarter of a second. Raises: OSError where the port of multicast DNS cannot be used,
    NoFreeNameError, zeroconf.Error.
    """
    while True:
        local = announced_addresses(addresses())
        if not local:
            report(None)
            await asyncio.sleep(poll_s)
            continue
        publication = _Publication(services, local)
        # Otherwise nothing is withdrawn: the same records are announced again in a moment.
        is_withdrawn = False
        try:
            report(await publication.open(name, host))
            while not _have_changed(addresses, local):
                if await publication.is_superseded(poll_s):
                    report(None)
                    break
        except asyncio.CancelledError:
            is_withdrawn = True
            raise
        finally:
            await publication.close(is_withdrawn=is_withdrawn)


def _have_changed(
    addresses: Callable[[], Iterable[LocalAddress]], local: Sequence[LocalAddress]
) -> bool:
    try:
        return announced_addresses(addresses()) != local
    except OSError:
        # Out of a kernel resource: what is announced still applies.
        return False


class _Publication:
    """The services on one set of addresses."""

    def __init__(self, services: Sequence[Service], local: Sequence[LocalAddress]) -> None:
        self._services = services
        self._local = local
        # Raises OSError, here and not later, where the port is taken.
        sockets: list[str | int] = [str(a.address) for a in local if a.address.version == 4]
        sockets += sorted({a.interface for a in local if a.address.version == 6})
        self._zeroconf = AsyncZeroconf(interfaces=sockets)
        self._defence: Defence | None = None

    async def open(self, name: str, host: str) -> Names:
        """Announce; return the names that were free."""
        await self._zeroconf.zeroconf.async_wait_for_start()
        for attempt in range(MAX_NAMES):
            infos = [self._info(service, name, host) for service in self._services]
            taken = await find_taken(self._zeroconf.zeroconf, infos)
            if not taken:
                await self._register(infos)
                return Names(name, f"{host}.local")
            if f"{host}.local." in taken:
                host = alternative_host(host)
            if any(info.name.lower() in taken for info in infos):
                name = alternative_instance(name)
            if attempt >= QUICK_TRIES:
                await asyncio.sleep(SLOW_TRY_S)
        raise NoFreeNameError(f"no name is free, up to {name!r}")

    async def is_superseded(self, within_s: float) -> bool:
        """Return whether, in this time, another machine turned out to have one of the names."""
        assert self._defence is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._defence.lost.wait()
        return self._defence.lost.is_set()

    async def close(self, *, is_withdrawn: bool) -> None:
        """Close the sockets, after goodbyes (records of TTL 0) where it is withdrawn."""
        if self._defence:
            self._defence.close()
        if not is_withdrawn:
            registry = self._zeroconf.zeroconf.registry
            registry.async_remove(registry.async_get_service_infos())
        await self._zeroconf.async_close()

    def _info(self, service: Service, name: str, host: str) -> AsyncServiceInfo:
        return AsyncServiceInfo(
            f"{service.type}.local.",
            f"{name}.{service.type}.local.",
            port=service.port,
            properties=dict(service.txt),
            server=f"{host}.local.",
            parsed_addresses=[str(local.address) for local in self._local],
        )

    async def _register(self, infos: Sequence[AsyncServiceInfo]) -> None:
        """Announce names that were found free."""
        broadcasts = [
            await self._zeroconf.async_register_service(info, cooperating_responders=True)
            for info in infos
        ]
        self._defence = Defence(self._zeroconf.zeroconf, infos)
        await asyncio.gather(*broadcasts)
