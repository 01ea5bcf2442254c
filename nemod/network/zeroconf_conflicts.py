"""Finds out whether another machine has a name: before it is announced, and later.

The `zeroconf` library asks for a name before it registers it, but only by unicast and never for the
host's name. Here the questions are those of RFC 6762, section 8.1, and other machines' records
are compared with our own for as long as ours are announced (section 9).
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress

from zeroconf import (
    DNSAddress,
    DNSOutgoing,
    DNSQuestion,
    DNSRecord,
    DNSService,
    Error,
    IPVersion,
    RecordUpdate,
    RecordUpdateListener,
    Zeroconf,
)
from zeroconf.asyncio import AsyncServiceInfo

PROBES = 3
PROBE_S = 0.25
"""[s] Between probes, and after the last."""
FLUSH_S = 1.1
"""[s] After this, an announcement replaces another machine's in caches (section 10.2)."""
MAX_DEFENCES = 3
"""How often the names are announced again before they are given up."""
_QUERY, _IN = 0, 1
"""Flags of a question, and its class."""
_A, _AAAA, _ANY = 1, 28, 255
"""Types of records."""


async def find_taken(opened: Zeroconf, infos: Sequence[AsyncServiceInfo]) -> set[str]:
    """Return which of the services' names, and of their hosts', another machine has."""
    taken: set[str] = set()
    is_found = asyncio.Event()

    def note(name: str, is_ours: bool) -> None:
        taken.add(name)
        is_found.set()

    comparison = Comparison(opened, infos, note)
    try:
        # Machines that start together, after a power cut, do not ask together.
        await asyncio.sleep(random.uniform(0.0, PROBE_S))
        for _ in range(PROBES):
            opened.async_send(_probe(infos))
            with suppress(TimeoutError):
                async with asyncio.timeout(PROBE_S):
                    await is_found.wait()
            if taken:
                break
    finally:
        comparison.close()
    return taken


class Comparison(RecordUpdateListener):
    """Compares the records that other machines send with our own."""

    def __init__(
        self,
        opened: Zeroconf,
        infos: Sequence[AsyncServiceInfo],
        on_conflict: Callable[[str, bool], None],
    ) -> None:
        """`on_conflict` gets the name, in lower case, and whether it is ours to keep.

        Of two machines with one name, the one with the greater data keeps it: the rule of RFC 6762,
        section 8.2, for two that ask at the same time.
        """
        self._opened = opened
        self._on_conflict = on_conflict
        self._services = {info.name.lower(): (info.port, _server(info)) for info in infos}
        self._hosts = {
            _server(info): frozenset(info.addresses_by_version(IPVersion.All)) for info in infos
        }
        opened.async_add_listener(self, None)

    def close(self) -> None:
        """Stop listening."""
        self._opened.async_remove_listener(self)

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """Compare the records of one packet; called by the library, with our own packets too."""
        verdicts: dict[str, bool] = {}
        for update in records:
            name = update.new.name.lower()
            is_ours = None if update.new.is_expired(now) else self._is_ours(name, update.new)
            if is_ours is not None:
                verdicts[name] = is_ours and verdicts.get(name, True)
        for name, is_ours in verdicts.items():
            self._on_conflict(name, is_ours)

    def _is_ours(self, name: str, record: DNSRecord) -> bool | None:
        """Return whether the name is ours to keep, None where the record is no conflict."""
        if isinstance(record, DNSService) and name in self._services:
            theirs, ours = (record.port, record.server.lower()), self._services[name]
            return None if theirs == ours else ours > theirs
        if isinstance(record, DNSAddress) and self._hosts.get(name):
            addresses = self._hosts[name]
            return None if record.address in addresses else max(addresses) > record.address
        return None


class Defence:
    """Keeps or gives up names that are announced, when another machine announces them."""

    def __init__(self, opened: Zeroconf, infos: Sequence[AsyncServiceInfo]) -> None:
        """`infos` are what is registered."""
        self.lost = asyncio.Event()
        """Set once a name is the other machine's."""
        self._opened = opened
        self._infos = infos
        self._count = 0
        self._is_contested = False
        self._task: asyncio.Task[None] | None = None
        self._comparison = Comparison(opened, infos, self._decide)

    def close(self) -> None:
        """Stop listening."""
        self._comparison.close()
        if self._task:
            self._task.cancel()

    def _decide(self, name: str, is_ours: bool) -> None:
        if not is_ours or self._count >= MAX_DEFENCES:
            self.lost.set()
            return
        self._is_contested = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._announce_again(), name="mdns-defence")

    async def _announce_again(self) -> None:
        """Announce our records last, so that caches do not keep the other machine's."""
        while self._is_contested:
            self._is_contested = False
            self._count += 1
            await self._broadcast()
            await asyncio.sleep(FLUSH_S)
            await self._broadcast()

    async def _broadcast(self) -> None:
        with suppress(Error):
            sent = [await self._opened.async_update_service(info) for info in self._infos]
            await asyncio.gather(*sent)


def _probe(infos: Sequence[AsyncServiceInfo]) -> DNSOutgoing:
    """Return the question who has the names, with what we mean to announce."""
    probe = DNSOutgoing(_QUERY)
    # By multicast: an answer by unicast reaches only one of several programs on a machine.
    for info in infos:
        probe.add_question(DNSQuestion(info.name, _ANY, _IN))
    for host in sorted({_server(info) for info in infos}):
        # The library does not answer questions for any record of a host.
        for kind in (_A, _AAAA):
            probe.add_question(DNSQuestion(host, kind, _IN))
    for info in infos:
        # The library's own method takes pointers alone, which nobody compares.
        probe.authorities.append(info.dns_service())  # type: ignore[arg-type]
    probe.authorities.extend(infos[0].dns_addresses())  # type: ignore[arg-type]
    return probe


def _server(info: AsyncServiceInfo) -> str:
    return (info.server or "").lower()
