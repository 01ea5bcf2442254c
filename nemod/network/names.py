"""Makes valid mDNS names from a machine's host name: for the host, and for service instances."""

import re
import socket
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from nemod.common.names import normal

MAX_LABEL = 63
"""[bytes of UTF-8] Longest part of a DNS name (RFC 1035, section 2.3.4)."""
_NOT_HOST = re.compile(r"[^a-z0-9-]+")
_NUMBER = re.compile(r"^(.*) #(\d+)$", re.DOTALL)
_HOST_NUMBER = re.compile(r"^(.*)-(\d+)$", re.DOTALL)


class Names(NamedTuple):
    """Under which names other machines find the services."""

    instance: str
    """Name of the services, as `nemod on pi`."""
    host: str
    """Host name by multicast DNS, as `pi.local`."""


Report = Callable[[Names | None], None]
"""Called with the names once services are announced, with None when they no longer are."""


def host_name() -> str:
    """Return the machine's host name without its domain, `nemod` where it has none."""
    return socket.gethostname().partition(".")[0] or "nemod"


def host_label(host: str) -> str:
    """Return a host name as one part of a DNS name: lower-case letters, digits and hyphens.

    A Linux host name may contain anything; what is not allowed in DNS becomes a hyphen.
    """
    plain = unicodedata.normalize("NFKD", host.partition(".")[0]).lower()
    without_accents = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _NOT_HOST.sub("-", without_accents)[:MAX_LABEL].strip("-") or "nemod"


def instance_label(name: str) -> str:
    """Return a name as the instance name of a service (RFC 6763, section 4.1.1).

    It is Unicode in form C, without control characters and of at most 63 bytes. A dot becomes a
    hyphen, because not every client escapes it.
    """
    text = normal(name.encode("utf-8", "replace").decode("utf-8"))
    kept = "".join(letter for letter in text if unicodedata.category(letter) != "Cc")
    return _cut(kept.replace(".", "-").strip(), MAX_LABEL) or "nemod"


def alternative_instance(name: str) -> str:
    """Return the instance name to try when this one is taken: `x`, `x #2`, `x #3`.

    The number is the one that avahi appends.
    """
    found = _NUMBER.match(name)
    base, number = (found[1], int(found[2]) + 1) if found else (name, 2)
    suffix = f" #{number}"
    return _cut(base, MAX_LABEL - len(suffix)) + suffix


def alternative_host(label: str) -> str:
    """Return the host name to try when this one is taken: `pi`, `pi-2`, `pi-3`."""
    found = _HOST_NUMBER.match(label)
    base, number = (found[1], int(found[2]) + 1) if found else (label, 2)
    suffix = f"-{number}"
    return base[: MAX_LABEL - len(suffix)].rstrip("-") + suffix


def _cut(text: str, size: int) -> str:
    """Return the text in at most `size` bytes of UTF-8, with whole characters."""
    return text.encode("utf-8")[:size].decode("utf-8", "ignore").rstrip()
