"""Announces services by multicast DNS without avahi, with the `zeroconf` library.

The library binds its sockets to the addresses that it is given, checks names only before it
registers them, and never checks the host's name. What RFC 6762 asks for besides is here: another
host name and another instance name where one is taken, also later, and a new start when the
machine's addresses change.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import zeroconf
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from nemod.network.interfaces import LocalAddress
from nemod.network.names import alternative_host, alternative_instance
from nemod.network.services import Service
from nemod.network.zeroconf_conflicts import Conflicts

POLL_S = 3.0
"""[s] How often the machine's addresses are compared with those that are announced."""
HOST_QUESTION_MS = 600
"""[ms] Longest wait for another machine that has the host's name."""
MAX_NAMES = 100
"""Most names that are tried when all are taken."""

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
    published: Callable[[str, str], None],
    *,
    addresses: Callable[[], Iterable[LocalAddress]],
    poll_s: float = POLL_S,
) -> None:
    """Announce the services under these names, or the next free ones, until cancelled.

    `published` is called with the instance name and the host name each time they have been
    announced. Cancelling withdraws: it sends goodbyes for a quarter of a second. Raises: OSError
    where the port of multicast DNS cannot be used, NoFreeNameError, zeroconf.Error.
    """
    while True:
        local = announced_addresses(addresses())
        if not local:
            await asyncio.sleep(poll_s)
            continue
        publication = _Publication(services, local)
        try:
            names = await publication.open(name, host)
            published(*names)
            while not await publication.is_superseded(poll_s):
                if announced_addresses(addresses()) != local:
                    break
        except asyncio.CancelledError:
            await publication.close(is_withdrawn=True)
            raise
        except BaseException:
            await publication.close(is_withdrawn=False)
            raise
        # Nothing is withdrawn: the same records are announced again in a moment.
        await publication.close(is_withdrawn=False)


class _Publication:
    """The services on one set of addresses."""

    def __init__(self, services: Sequence[Service], local: Sequence[LocalAddress]) -> None:
        self._services = services
        self._local = local
        # Raises OSError, here and not later, where the port is taken.
        sockets: list[str | int] = [str(a.address) for a in local if a.address.version == 4]
        sockets += sorted({a.interface for a in local if a.address.version == 6})
        self._zeroconf = AsyncZeroconf(interfaces=sockets)
        self._conflicts: Conflicts | None = None

    async def open(self, name: str, host: str) -> tuple[str, str]:
        """Announce; return the instance name and the host name that were free."""
        host = await self._free_host(host)
        for _ in range(MAX_NAMES):
            infos = [self._info(service, name, host) for service in self._services]
            if await self._register(infos):
                self._conflicts = Conflicts(self._zeroconf, infos)
                return name, f"{host}.local"
            name = alternative_instance(name)
        raise NoFreeNameError(f"no instance name is free, up to {name!r}")

    async def is_superseded(self, within_s: float) -> bool:
        """Return whether, in this time, another machine turned out to have one of the names."""
        assert self._conflicts is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._conflicts.lost.wait()
        return self._conflicts.lost.is_set()

    async def close(self, *, is_withdrawn: bool) -> None:
        """Close the sockets, after goodbyes (records of TTL 0) where it is withdrawn."""
        if self._conflicts:
            self._conflicts.close()
        if not is_withdrawn:
            registry = self._zeroconf.zeroconf.registry
            registry.async_remove(registry.async_get_service_infos())
        await self._zeroconf.async_close()

    async def _free_host(self, host: str) -> str:
        own = {local.address for local in self._local}
        await self._zeroconf.zeroconf.async_wait_for_start()
        for _ in range(MAX_NAMES):
            resolver = zeroconf.AddressResolver(f"{host}.local.")
            await resolver.async_request(
                self._zeroconf.zeroconf, HOST_QUESTION_MS, zeroconf.DNSQuestionType.QM
            )
            found = resolver.ip_addresses_by_version(zeroconf.IPVersion.All)
            if own.issuperset(found):
                return host
            host = alternative_host(host)
        raise NoFreeNameError(f"no host name is free, up to {host!r}")

    def _info(self, service: Service, name: str, host: str) -> AsyncServiceInfo:
        return AsyncServiceInfo(
            f"{service.type}.local.",
            f"{name}.{service.type}.local.",
            port=service.port,
            properties=dict(service.txt),
            server=f"{host}.local.",
            parsed_addresses=[str(local.address) for local in self._local],
        )

    async def _register(self, infos: Sequence[AsyncServiceInfo]) -> bool:
        """Probe for the names and announce; return whether all were free."""
        results = await asyncio.gather(
            *(self._zeroconf.async_register_service(info) for info in infos),
            return_exceptions=True,
        )
        errors = [result for result in results if isinstance(result, BaseException)]
        broadcasts = [result for result in results if not isinstance(result, BaseException)]
        if not errors:
            await asyncio.gather(*broadcasts)
            return True
        # All types have the same name, so those that were free are given up, too.
        for result in broadcasts:
            asyncio.ensure_future(result).cancel()
        registry = self._zeroconf.zeroconf.registry
        registry.async_remove(registry.async_get_service_infos())
        for error in errors:
            if not isinstance(error, zeroconf.NonUniqueNameException):
                raise error
        return False
