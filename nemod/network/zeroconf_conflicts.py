"""Notices, after names were announced with `zeroconf`, that another machine has the same."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from zeroconf import (
    DNSAddress,
    DNSRecord,
    DNSService,
    Error,
    IPVersion,
    RecordUpdate,
    RecordUpdateListener,
    Zeroconf,
)
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

MAX_DEFENCES = 3
"""How often the names are announced again before they are given up."""


class Conflicts(RecordUpdateListener):
    """Compares the records of other machines with our own.

    Of two machines with one name, the one with the greater data keeps it (as RFC 6762, section
    8.2, decides between two that probe at the same time) and announces it again; the other finds
    another name.
    """

    def __init__(self, opened: AsyncZeroconf, infos: Sequence[AsyncServiceInfo]) -> None:
        """`infos` are what was registered."""
        self.lost = asyncio.Event()
        """Set once another machine keeps one of the names."""
        self._opened = opened
        self._infos = infos
        self._services = {
            info.name.lower(): (info.port or 0, (info.server or "").lower()) for info in infos
        }
        self._addresses = {
            (info.server or "").lower(): frozenset(info.addresses_by_version(IPVersion.All))
            for info in infos
        }
        self._defences = 0
        self._task: asyncio.Task[None] | None = None
        opened.zeroconf.async_add_listener(self, None)

    def close(self) -> None:
        """Stop listening."""
        self._opened.zeroconf.async_remove_listener(self)
        if self._task:
            self._task.cancel()

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """Called by the library with the records of one packet."""
        verdicts = [self._keeps(record.new) for record in records if not record.new.is_expired(now)]
        if False in verdicts or (True in verdicts and self._defences >= MAX_DEFENCES):
            self.lost.set()
        elif True in verdicts and (self._task is None or self._task.done()):
            self._defences += 1
            self._task = asyncio.create_task(self._defend(), name="mdns-defend")

    def _keeps(self, record: DNSRecord) -> bool | None:
        """Return whether we keep the name of another machine's record, None without a conflict."""
        name = record.name.lower()
        if isinstance(record, DNSService) and name in self._services:
            theirs = record.port, record.server.lower()
            return None if theirs == self._services[name] else self._services[name] > theirs
        if isinstance(record, DNSAddress) and self._addresses.get(name):
            ours = self._addresses[name]
            return None if record.address in ours else max(ours) > record.address
        return None

    async def _defend(self) -> None:
        """Announce our records again, so that caches do not keep the other machine's."""
        with suppress(Error):
            for info in self._infos:
                await (await self._opened.async_update_service(info))
